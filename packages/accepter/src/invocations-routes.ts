import { isUtf8 } from 'node:buffer'
import {
  type Call,
  type Clock,
  createId,
  encodeCall,
  formatInstant,
  LIMITS,
  PosthasteError,
  parseInstruction,
} from '@posthaste/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { InvocationsDoor } from './accepter-options.js'

const APPEND_MS_MAX = 10_000

/** JSON text may be larger than the bytes that it stands for: base64 by a third, escapes by much more. */
const JSON_FACTOR = 6

/** `POST /invocations`: validates, appends once, answers 202 when the stream has it. */
export function invocationsRoutes(door: InvocationsDoor, clock: Clock) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer', bodyLimit: LIMITS.recordBytesMax * JSON_FACTOR },
      (_: FastifyRequest, body: Buffer, done) => {
        try {
          done(null, parseJson(body))
        } catch (error) {
          done(error as Error)
        }
      },
    )
    app.post('/invocations', async (request, reply) => {
      const call = accept(request, clock.now())
      const value = encodeCall(call)
      if (value.length > door.recordBytesMax) {
        throw new PosthasteError(
          'too-large',
          `As a record this instruction has ${value.length} bytes; ${door.recordBytesMax} are the limit.`,
        )
      }
      await inTime(
        door.append([{ key: call.id, generation: call.generation, attempt: call.attempt, value }]),
        door.timeoutMs ?? APPEND_MS_MAX,
      )
      reply.code(202).header('location', `/invocations/${call.id}`)
      return receiptOf(call)
    })
  }
}

function accept(request: FastifyRequest, nowMs: number): Call {
  if (request.body === undefined)
    throw new PosthasteError('unsupported-media-type', 'Send the instruction as Content-Type: application/json.')
  const content = parseInstruction(request.body, nowMs)
  return { id: createId(nowMs), generation: 1, attempt: 1, acceptedAtMs: nowMs, depth: depthOf(request), ...content }
}

/** A request that a call of ours made says how deep its chain is, so that a loop through other services ends. */
function depthOf(request: FastifyRequest): number {
  const header = request.headers['posthaste-depth']
  if (header === undefined) return 0
  if (!/^\d+$/.test(String(header))) throw new PosthasteError('bad-request', 'Posthaste-Depth is not a number.')
  const depth = Number(header) + 1
  if (depth > LIMITS.depthMax)
    throw new PosthasteError(
      'depth-exceeded',
      `This would be number ${depth} of a chain; ${LIMITS.depthMax} are the limit.`,
    )
  return depth
}

function receiptOf(call: Call): object {
  const scheduled = call.notBeforeMs !== undefined && call.notBeforeMs > call.acceptedAtMs
  return {
    id: call.id,
    state: scheduled ? 'scheduled' : 'queued',
    correlationId: call.correlationId,
    notBefore: call.notBeforeMs === undefined ? undefined : formatInstant(call.notBeforeMs),
  }
}

function parseJson(body: Buffer): unknown {
  // What is replaced while it is read would not be what the client sent.
  if (!isUtf8(body)) throw new PosthasteError('not-json', 'The request body is not UTF-8.')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new PosthasteError('not-json', `The request body is not JSON: ${(error as Error).message}.`)
  }
}

/** Gives up waiting for an append after a time. */
function inTime(append: Promise<void>, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const detail = `The stream did not confirm within ${timeoutMs} ms; it may have the instruction all the same.`
      reject(new PosthasteError('stream-unavailable', detail))
    }, timeoutMs)
    append.then(
      () => {
        clearTimeout(timer)
        resolve()
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error as Error)
      },
    )
  })
}
