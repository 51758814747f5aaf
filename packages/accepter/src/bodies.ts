import type { IncomingMessage } from 'node:http'
import { GatheredBytes, PosthasteError } from '@posthaste/core'
import { Shares } from './share.js'

export type BodyRead = (error: Error | null, body?: Buffer) => void

/** Whose body it is, and what it may have. */
export interface BodyOptions {
  readonly tenant: string
  readonly bytesMax: number
}

/**
 * Reads the bodies of requests, of which all together may take so much memory, divided among tenants: without that, many
 * that send much and stop before the end take all of it.
 */
export class Bodies {
  readonly #room: Shares

  constructor(bytesMax: number) {
    this.#room = new Shares(bytesMax)
  }

  /** Bytes that came of bodies that are not read yet. */
  get bytes(): number {
    return this.#room.all
  }

  /** Reads the body of a request. It counts until `read` has returned. */
  read(request: IncomingMessage, options: BodyOptions, read: BodyRead): void {
    const { bytesMax } = options
    if (Number(request.headers['content-length']) > bytesMax) read(tooLarge(bytesMax))
    else this.#receive(request, options, read)
  }

  /** The whole body of a request. */
  whole(request: IncomingMessage, options: BodyOptions): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.read(request, options, (error, body) => {
        if (error) reject(error)
        else resolve(body as Buffer)
      })
    })
  }

  #receive(request: IncomingMessage, { bytesMax, tenant }: BodyOptions, read: BodyRead): void {
    const body = new GatheredBytes(bytesMax)
    const end = (error: Error | null): void => {
      request.off('data', onData).off('end', onEnd).off('error', onError)
      try {
        if (error) read(error)
        else read(null, body.content)
      } finally {
        this.#room.giveBack(tenant, body.length)
      }
    }
    const onData = (chunk: Buffer): void => {
      if (body.length + chunk.length > bytesMax) end(tooLarge(bytesMax))
      else if (this.#room.take(tenant, chunk.length)) body.add(chunk)
      else end(new PosthasteError('overloaded', 'Too much is being sent at once.'))
    }
    const onEnd = (): void => end(null)
    const onError = (cause: Error): void => end(new PosthasteError('bad-request', 'The body broke off.', { cause }))
    request.on('data', onData).on('end', onEnd).on('error', onError)
  }
}

export function tooLarge(bytesMax: number): PosthasteError {
  return new PosthasteError('too-large', `The request body may have ${bytesMax} bytes here.`)
}
