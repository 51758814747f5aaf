import t from 'tap'
import {
  acceptedRecordBytesMax,
  birthsOf,
  type Call,
  calledRecordBytesMax,
  DEFAULT_RETRY_POLICY,
  decideSequel,
  decodeCall,
  encodeCall,
  encodeJournalEntry,
  forwardOf,
  type Headers,
  journalEntryOf,
  LIMITS,
  type Outcome,
} from '../src/index.js'
import { DAY_MS, NOW_MS } from './arbitraries.js'

const KIB = 1024
const MIB = 1024 * KIB

// A stream with room for much more than a record, one with just the usual, and small ones.
const SIZES: readonly (readonly [streamMax: number, responseMax: number])[] = [
  [8 * MIB, 256 * KIB],
  [MIB, 256 * KIB],
  [MIB, 0],
  [256 * KIB, 16 * KIB],
]
const origin = { log: 'calls', partition: 0, offset: 0, appendedAtMs: NOW_MS }
const longUrl = `http://a/${'b'.repeat(LIMITS.urlBytesMax - 9)}`

/** The call that says as much as an instruction may, and whose record has exactly this many bytes. */
function largestCall(recordBytes: number): Call & { forwardTo: string } {
  const call = {
    id: 'i'.repeat(128),
    generation: 1,
    attempt: 1,
    acceptedAtMs: NOW_MS,
    depth: 0,
    target: longUrl,
    method: 'M'.repeat(LIMITS.methodLengthMax),
    headers: { x: '"'.repeat(LIMITS.headerBytesMax - 1) },
    body: new Uint8Array(0),
    forwardTo: longUrl,
    onFailure: { url: longUrl, format: 'cloudevents' },
    correlationId: '"'.repeat(LIMITS.correlationIdLengthMax),
    expiresAtMs: NOW_MS + LIMITS.delayMsMax,
    timeoutMs: LIMITS.timeoutMsMax,
    retry: {
      maxAttempts: 100,
      initialDelayMs: 7 * DAY_MS,
      factor: 1,
      maxDelayMs: 7 * DAY_MS,
      jitter: 'equal',
      maxAgeMs: LIMITS.retryAgeMsMax,
      statuses: Array<string>(LIMITS.retryEntriesMax).fill('3xx-5xx'),
    },
  } satisfies Call
  const digits = String(recordBytes).length
  const body = new Uint8Array(recordBytes - encodeCall(call).length + 1 - digits)
  const exact = { ...call, body }
  return encodeCall(exact).length === recordBytes ? exact : { ...call, body: new Uint8Array(body.length + 1) }
}

/** Response headers that grow most when they are written as JSON: short, many and beyond ASCII. */
function largestResponseHeaders(): Headers[] {
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&*+^`|~']
  const shortest = letters.flatMap((a) => letters.map((b) => [`${a}${b}`, ''] as const))
  return [
    Object.fromEntries(shortest),
    { 'content-type': '\ufffd'.repeat(LIMITS.responseHeaderBytesMax - 12) },
    { 'content-type': 'é'.repeat(LIMITS.responseHeaderBytesMax - 12) },
    { x: Array(LIMITS.responseHeaderBytesMax).fill('') },
    { x: Array(LIMITS.responseHeaderBytesMax / 2).fill('"') },
  ]
}

const answered = (headers: Headers, responseMax: number): Outcome => ({
  kind: 'answered',
  startedAtMs: NOW_MS,
  durationMs: 1_234_567.891011,
  response: { status: 503, headers, body: new Uint8Array(responseMax), bodyBytes: responseMax },
})

function deadLetterBytes(call: Call, outcome: Outcome): number {
  const failure = { code: 'name-not-resolved', detail: '\x01'.repeat(100_000) } as const
  const what = { atMs: NOW_MS, state: 'failed', failure, nextAttemptAtMs: NOW_MS, sinceMs: NOW_MS } as const
  const entry = journalEntryOf(call, { ...what, record: encodeCall(call) }, outcome)
  return encodeJournalEntry({ ...entry, forward: { id: call.id }, destination: { id: call.id } }).length
}

t.test('the largest record follows from what the stream takes', async (t) => {
  t.equal(acceptedRecordBytesMax(8 * MIB, MIB), MIB, 'a MiB at the most')
  t.equal(acceptedRecordBytesMax(MIB, 256 * KIB), (1024 - 256 - 96) * KIB)
  t.equal(acceptedRecordBytesMax(MIB, 0), (1024 - 96) * KIB)
})

t.test('what was accepted fits the stream in whatever becomes of it', async (t) => {
  for (const [streamMax, responseMax] of SIZES) {
    const recordMax = acceptedRecordBytesMax(streamMax, responseMax)
    const call = largestCall(recordMax)
    const name = `${streamMax / KIB} KiB, ${responseMax / KIB} KiB of response`
    t.equal(encodeCall(call).length, recordMax, `${name}: the call is as large as can be`)
    t.equal(decodeCall(encodeCall(call), origin).call.body.length, call.body.length, `${name}: and can be read`)

    for (const headers of largestResponseHeaders()) {
      const outcome = answered(headers, responseMax)
      const policy = { ...DEFAULT_RETRY_POLICY, maxAttempts: 100 }
      const worst = { ...call, attempt: 99, generation: 1_000_000, depth: LIMITS.depthMax - 1, parent: call.id }
      const sequel = decideSequel(worst, outcome, policy, NOW_MS, 0)
      const retry = sequel.state === 'retrying' ? sequel.next : undefined
      if (!retry) return t.fail('there is a retry')

      t.ok(
        deadLetterBytes(call, outcome) > recordMax + responseMax + 20 * KIB,
        `${name}: there is an envelope to speak of`,
      )
      t.ok(deadLetterBytes(call, outcome) <= streamMax, `${name}: the dead letter fits`)
      t.ok(encodeCall(retry).length > recordMax, 'the retry says more')
      const moved = { ...retry, move: Number.MAX_SAFE_INTEGER, answered: 98 }
      t.ok(encodeCall(moved).length <= calledRecordBytesMax(streamMax, responseMax), `${name}: the retry is called`)
      t.ok(deadLetterBytes(retry, outcome) <= streamMax, `${name}: and so does its dead letter`)
      const forward = forwardOf(worst, 'failed', outcome, NOW_MS)
      t.ok(forward && encodeCall(forward).length > responseMax + LIMITS.urlBytesMax)
      t.ok(forward && encodeCall(forward).length <= recordMax, `${name}: the forward fits`)
      const failed = {
        atMs: NOW_MS,
        state: 'failed',
        failure: { code: 'status', detail: '\x01'.repeat(100_000) },
      } as const
      const children = birthsOf(worst, journalEntryOf(worst, failed, outcome), recordMax).calls
      t.strictSame(
        children.map((child) => encodeCall(child).length <= recordMax),
        [true, true],
        `${name}: and so does what tells the destination`,
      )
    }
  }
})
