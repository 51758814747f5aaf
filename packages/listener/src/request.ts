import { type Call, pathOf } from '@posthaste/core'
import type { Dispatcher } from 'undici'
import { callHeaders, type Sending } from './call-headers.js'

/** The request that undici makes for a call, through the pool of its origin. */
export function requestOf(call: Call, sending: Sending): Dispatcher.DispatchOptions {
  return {
    path: pathOf(call.target),
    method: call.method as Dispatcher.HttpMethod,
    headers: callHeaders(call, sending),
    body: call.body.length > 0 ? Buffer.from(call.body.buffer, call.body.byteOffset, call.body.length) : null,
  }
}
