import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { InvocationDocument } from '@posthaste/core'
import type { Test } from 'tap'

/** A request that came. */
export interface Asked {
  /** Method and path. */
  readonly what: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes are sent as they are, anything else as JSON. */
  readonly body: unknown
}

/** An HTTP server that answers as it is told, and keeps what it was asked. */
export async function serveApi(t: Test, answer: (asked: Asked) => Reply | Promise<Reply>) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api')
    const body = request.headers['content-type'] === undefined ? undefined : await json(request)
    const query = Object.fromEntries(searchParams)
    const one = { what: `${request.method} ${pathname}`, query, headers: request.headers, body }
    asked.push(one)
    const { status = 200, headers = {}, body: replied } = await answer(one)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(replied instanceof Uint8Array ? replied : JSON.stringify(replied))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** An error as the API answers it. */
export function problem(status: number, code: string, detail: string, more: object = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: { type: `urn:posthaste:error:${code}`, title: 'So it is.', status, detail, code, ...more },
  }
}

/** An id for a test. */
export function idOf(number: number): string {
  return `01a1fceb-8804-7b77-bf7e-${String(number).padStart(12, '0')}`
}

/** An invocation as the API shows it. */
export function shown(
  id: string,
  state: InvocationDocument['state'],
  more: Partial<InvocationDocument> = {},
): InvocationDocument {
  return {
    id,
    state,
    generation: 1,
    attemptsMade: 0,
    attemptsAnswered: 0,
    createdAt: '2026-01-02T03:04:05.678Z',
    target: 'https://api.example.com/resize',
    method: 'POST',
    attempts: [],
    ...more,
  }
}
