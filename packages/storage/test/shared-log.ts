import { deriveId, encodeCall, encodeJournalEntry, journalEntryOf } from '@posthaste/core'
import type { Change, InvocationView, LogRecord } from '../src/index.js'
import { answered, callOf, FAILED, NOW_MS } from './view-harness.js'

// A log that every process makes for itself, in numbered batches: each tells of some new invocations, and how those of the
// batch before ended.

export const PER_BATCH = 20

/** Applies the batch that comes next, and says which one that was. */
export async function applyNext(view: InvocationView): Promise<{ readonly at: number; readonly applied: string }> {
  const at = Number(view.position('calls') ?? 0)
  return { at, applied: await view.apply(batchAt(at)) }
}

function batchAt(batch: number): Change[] {
  const [from, to] = [batch === 0 ? undefined : String(batch), String(batch + 1)]
  const fresh = Array.from({ length: PER_BATCH }, (_, index) => batch * PER_BATCH + index)
  return [
    { log: 'calls', from, to, records: fresh.map((index) => recordOf(index, encodeCall(callAt(index)))) },
    { log: 'journal', from, to, records: batch === 0 ? [] : fresh.map((index) => endAt(index - PER_BATCH)) },
  ]
}

function endAt(index: number): LogRecord {
  const call = callAt(index)
  const isFailed = index % 3 === 0
  const what = isFailed
    ? { state: 'failed' as const, failure: FAILED, record: encodeCall(call) }
    : { state: 'succeeded' as const }
  const entry = journalEntryOf(
    call,
    { atMs: NOW_MS + index + 1, ...what },
    answered(isFailed ? 500 : 200, `of ${index}`),
  )
  return recordOf(index, encodeJournalEntry(entry))
}

function callAt(index: number) {
  return callOf(deriveId(NOW_MS + index, index), { acceptedAtMs: NOW_MS + index })
}

function recordOf(index: number, value: Uint8Array): LogRecord {
  return { partition: 0, offset: index, key: callAt(index).id, value, appendedAtMs: NOW_MS + index }
}
