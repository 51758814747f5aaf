import {
  type Call,
  type Directive,
  decodeCall,
  directiveKey,
  encodeCall,
  encodeDirective,
  encodeJournalEntry,
  type Happening,
  journalEntryOf,
  type Outcome,
} from '@posthaste/core'
import type { NewRecord, Stream } from '@posthaste/stream'
import type { Test } from 'tap'
import type { AccepterOptions } from '../src/index.js'
import { ask } from './api-client.js'
import { FollowingView } from './following-view.js'
import { openStreams, RECORD_BYTES_MAX, startAccepter } from './setting.js'

/** An accepter on a stream, with a view. */
export interface Installed {
  readonly url: string
  readonly stream: Stream
  readonly view: FollowingView
  stop(): Promise<void>
}

/** Two accepters as in two processes: each with a stream of its own on the one data directory, and a view. */
export async function startTwo(t: Test, options: Partial<AccepterOptions> = {}): Promise<[Installed, Installed]> {
  const { other, stream } = await openStreams(t)
  return Promise.all([install(t, stream, options), install(t, other, options)])
}

export async function startOne(t: Test, options: Partial<AccepterOptions> = {}): Promise<Installed> {
  const { stream } = await openStreams(t)
  return install(t, stream, options)
}

export async function install(t: Test, stream: Stream, options: Partial<AccepterOptions> = {}): Promise<Installed> {
  const view = new FollowingView(stream)
  const { accepter, url } = await startAccepter(t, {
    invocations: { recordBytesMax: RECORD_BYTES_MAX, append: (log, records) => stream.append(log, records) },
    view,
    ...options,
  })
  // Before the stream is stopped: tap goes backwards.
  t.teardown(() => view.stop())
  return { url, stream, view, stop: () => accepter.stop() }
}

/** Has instructions accepted and fail; resolves with their ids once the view shows that. */
export async function failed(
  { stream, url, view }: Installed,
  invocations: readonly object[],
  headers: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const listener = new Listener(stream)
  const { json } = await ask(url, 'createInvocations', { headers, body: { invocations } })
  const ids: string[] = json.results.map(({ id }: { id: string }) => id)
  for (const id of ids) await listener.fail(await listener.callOf(view, id))
  await view.until(() => ids.every((id) => view.deadLetter(id)) || undefined, 10_000)
  return ids
}

/** Writes to the logs what a listener would. */
export class Listener {
  readonly #stream: Stream

  constructor(stream: Stream) {
    this.#stream = stream
  }

  async callOf(view: FollowingView, id: string): Promise<Call> {
    const turn = await view.until(() => view.waiting(id), 10_000)
    if (!turn) throw new Error(`${id} does not go on`)
    return decodeCall(turn.record, { log: 'calls', partition: 0, offset: 0, appendedAtMs: 0 }).call
  }

  /** Tells of a call, or of why there is none. */
  async tell(call: Call, what: Partial<Happening> & Pick<Happening, 'state'>, outcome?: Outcome): Promise<void> {
    const entry = journalEntryOf(call, { atMs: Date.now(), listener: 'http://listener', ...what }, outcome)
    await this.#append('journal', call, encodeJournalEntry(entry))
  }

  succeed(call: Call, body = 'done', bodyBytes = body.length): Promise<void> {
    return this.tell(call, { state: 'succeeded' }, answered(200, body, bodyBytes))
  }

  fail(call: Call, state: 'failed' | 'expired' = 'failed'): Promise<void> {
    const failure = { code: 'status', detail: 'The target answered 500.' } as const
    return this.tell(call, { state, failure, record: encodeCall(call) }, answered(500, 'broken'))
  }

  async cancel(call: Call, directive: Directive): Promise<void> {
    const failure = { code: 'cancelled', detail: 'Somebody asked for it.' } as const
    await this.tell(call, { state: 'cancelled', failure, record: encodeCall(call) })
    await this.mark({ ...directive, isDone: true })
  }

  async move(call: Call, directive: Directive): Promise<void> {
    await this.mark({ ...directive, isDone: true })
    await this.tell(call, { state: 'scheduled', nextAttemptAtMs: directive.dueMs as number, record: encodeCall(call) })
  }

  mark(directive: Directive): Promise<void> {
    const done = { ...directive, record: new Uint8Array(0) }
    return this.#stream.append('control', [{ key: directiveKey(directive), value: encodeDirective(done) }])
  }

  #append(log: 'journal', { attempt, generation, id }: Call, value: Uint8Array): Promise<void> {
    const record: NewRecord = { key: id, generation, attempt, value }
    return this.#stream.append(log, [record])
  }
}

/** What was asked of an invocation, once the view shows it. */
export async function directiveOf(view: FollowingView, id: string): Promise<Directive> {
  const directive = await view.until(() => view.directive(id), 10_000)
  if (!directive) throw new Error(`nothing is asked of ${id}`)
  return directive
}

export function answered(status: number, body: string, bodyBytes = body.length): Outcome {
  const kept = bodyBytes === Buffer.byteLength(body) ? Buffer.from(body) : new Uint8Array(0)
  const headers = { 'content-type': 'text/html; charset=utf-8', 'x-target': 'yes' }
  return {
    kind: 'answered',
    startedAtMs: Date.now(),
    durationMs: 12.5,
    response: { status, headers, body: kept, bodyBytes },
  }
}
