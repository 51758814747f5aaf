import {
  type Call,
  type Children,
  directiveKey,
  encodeCall,
  encodeDirective,
  encodeJournalEntry,
  type Happening,
  journalEntryOf,
  type Outcome,
  type Sealer,
} from '@posthaste/core'
import type { Test } from 'tap'
import {
  type Change,
  Environment,
  InvocationView,
  type LogRecord,
  type ViewedLog,
  type ViewRetention,
} from '../src/index.js'
import { makeDirectory, removeDirectory } from './directory.js'

export const NOW_MS = Date.parse('2026-06-01T12:00:00Z')
export const MINUTE_MS = 60_000
const FOR_EVER: ViewRetention = { ageMs: 1e12, bytes: 1e15, claimAgeMs: 1e12 }

export interface OpenedView {
  readonly view: InvocationView
  readonly directory: string
  close(): Promise<void>
}

/** A view in a directory of its own, or in a given one. */
export function openView(
  t: Test,
  retention: Partial<ViewRetention> = {},
  directory = makeDirectory(),
  sealer?: Sealer,
): OpenedView {
  const environment = new Environment({ directory, file: 'view.lmdb', reserveBytes: 0 })
  const view = new InvocationView({ environment, retention: { ...FOR_EVER, ...retention }, ...(sealer && { sealer }) })
  const close = (): Promise<void> => environment.close()
  t.teardown(async () => {
    await close()
    removeDirectory(directory)
  })
  return { view, directory, close }
}

/** Gives records their places in logs, and applies them. */
export class Feeder {
  readonly #view: InvocationView
  #offset = 0

  constructor(view: InvocationView) {
    this.#view = view
  }

  /** Applies records to one log after the other, in one batch. */
  async apply(records: Partial<Record<ViewedLog, readonly Told[]>>): Promise<void> {
    const changes = Object.entries(records).map(([log, told]) => this.#change(log as ViewedLog, told))
    const applied = await this.#view.apply(changes)
    if (applied !== 'applied') throw new Error(`The batch is ${applied}.`)
  }

  #change(log: ViewedLog, told: readonly Told[]): Change {
    const from = this.#view.position(log)
    const records = told.map((one): LogRecord => {
      this.#offset += 1
      return { partition: 0, offset: this.#offset, appendedAtMs: NOW_MS, ...one }
    })
    return { log, from, to: `after ${this.#offset} of ${log}`, records }
  }
}

export type Told = Pick<LogRecord, 'key' | 'value'> & Partial<LogRecord>

const BASE = {
  generation: 1,
  attempt: 1,
  acceptedAtMs: NOW_MS,
  depth: 0,
  target: 'https://a.example/b',
  method: 'POST',
}

export function callOf(id: string, changes: Partial<Call> = {}): Call {
  return { id, ...BASE, headers: { 'x-a': '1' }, body: Buffer.from(`body of ${id}`), ...changes }
}

export function onCalls(call: Call, appendedAtMs = NOW_MS): Told {
  return { key: call.id, value: encodeCall(call), appendedAtMs }
}

export function onJournal(
  call: Call,
  what: Partial<Happening> & Pick<Happening, 'state'>,
  outcome?: Outcome,
  children: Children = {},
): Told {
  const entry = { ...journalEntryOf(call, { atMs: NOW_MS + 9, ...what }, outcome), ...children }
  return { key: call.id, value: encodeJournalEntry(entry) }
}

export function onControl(directive: Parameters<typeof encodeDirective>[0]): Told {
  return { key: directiveKey(directive), value: encodeDirective(directive) }
}

export function answered(status: number, body = 'hello', startedAtMs = NOW_MS + 5): Outcome {
  const response = {
    status,
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from(body),
    bodyBytes: body.length,
  }
  return { kind: 'answered', startedAtMs, durationMs: 3.5, response }
}

export const FAILED = { code: 'status', detail: 'The target answered 500.' } as const
