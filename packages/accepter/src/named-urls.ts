import { type CallContent, type FieldError, PosthasteError, urlsOf } from '@posthaste/core'
import type { Caller } from './caller.js'

const DETAIL = 'This token may not have this called.'

/**
 * Checks that a caller may have called all that a call names. `under` is where its instruction stands in what was sent.
 * @throws PosthasteError `forbidden` with every field
 */
export function checkNames(call: CallContent, caller: Caller, under = ''): void {
  const fields = urlsOf(call)
    .filter(([, url]) => !caller.mayName(url))
    .map(([pointer]): FieldError => ({ pointer: under + pointer, code: 'forbidden', detail: DETAIL }))
  if (fields.length > 0) throw PosthasteError.ofFields(fields)
}
