import { type Invocation, isFinalState, isHeaderValue, type KeptResponse, PosthasteError } from '@posthaste/core'
import type { FastifyReply } from 'fastify'
import { documentOf, entityTag, isKnownTag } from './invocation-document.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

/** Of the target's headers those that say how its body is to be read. */
const BODY_HEADERS = ['content-type', 'content-encoding', 'content-language']

/** What came from a target must do nothing in a browser: it is shown under our own origin. */
const HARMLESS = {
  'content-disposition': 'attachment',
  'content-security-policy': "sandbox; default-src 'none'",
  'x-content-type-options': 'nosniff',
}

/** One invocation, and the body of the response to it. */
export function addShowRoutes(routes: Routes, lookup: Lookup): void {
  const { view } = lookup
  routes.add(OPERATIONS.getInvocation, async (asked, reply) => {
    const known = await lookup.find(asked, reply)
    const ended = (): Invocation | undefined => endedOf(view.get(known.id))
    const shown = (await lookup.until(reply, ended, asked.query.wait ?? 0)) ?? view.get(known.id) ?? known
    const text = JSON.stringify(documentOf(shown))
    const tag = entityTag(text)
    // Kept by a browser or a proxy, it would be out of date at once.
    reply.header('cache-control', 'no-cache').header('etag', tag)
    if (isKnownTag(asked.request.headers['if-none-match'], tag)) return reply.code(304).send()
    return reply.type('application/json; charset=utf-8').send(text)
  })

  routes.add(OPERATIONS.getResponse, async (asked, reply) => {
    const { id } = await lookup.find(asked, reply)
    const response = view.response(id)
    if (!response) throw new PosthasteError('no-response', 'The target has not answered, or not yet.')
    reply.header('posthaste-id', id).header('posthaste-status', response.status).header('cache-control', 'no-cache')
    if (response.body.length === response.bodyBytes) return sendBody(reply, response)
    reply.header('posthaste-truncated', response.bodyBytes)
    throw new PosthasteError('no-response', `The body had ${response.bodyBytes} bytes, too many to be kept.`)
  })
}

function endedOf(invocation: Invocation | undefined): Invocation | undefined {
  return invocation && isFinalState(invocation.state) ? invocation : undefined
}

function sendBody(reply: FastifyReply, { body, headers }: KeptResponse): FastifyReply {
  reply.headers(HARMLESS).header('content-type', 'application/octet-stream')
  for (const name of BODY_HEADERS) {
    const value = headers[name]
    const first = typeof value === 'string' ? value : value?.[0]
    if (first !== undefined && isHeaderValue(first)) reply.header(name, first)
  }
  return reply.send(Buffer.from(body))
}
