const KIB = 1024
const MIB = 1024 * KIB
const DAY_MS = 86_400_000

/**
 * Every limit on what an instruction may say, or a request of the API. `docs/http-api.md` prints this table; a test keeps the two equal.
 * Sizes in bytes and times in milliseconds stand in the name.
 */
export const LIMITS = {
  /** The first line of a request to the API and its headers: what Node takes by default. */
  requestHeadBytesMax: 16 * KIB,
  /** A call of ours that comes in again has ours besides those of its instruction. */
  requestHeadersMax: 200,
  /** Of the JSON of a request. Reading takes any depth, and much memory for each; writing it again recurs. */
  jsonDepthMax: 1_000,
  /**
   * Of all requests that are on their way in. One tenant alone has half of it. As much again of those that were read and with
   * which functions are called at once; one function alone has half of that.
   */
  bodiesBytesMax: 256 * MIB,
  requestMsMax: 60_000,
  answerMsMax: 60_000,
  keepAliveMsMax: 72_000,
  /** Requests that wait for something to become of an invocation, or of a ping. One tenant alone has half of the places. */
  waitingRequestsMax: 2_000,
  /** Functions being called at once. One function alone has half of the places. */
  functionCallsMax: 1_000,
  /** Cancellations and moves, which listeners keep in memory. One tenant alone has half of the places. */
  pendingChangesMax: 200_000,
  /** A URL after its query was appended. Servers commonly refuse longer ones. */
  urlBytesMax: 8 * KIB,
  methodLengthMax: 32,
  headerCountMax: 100,
  /** All names and values together: what Node and most servers take by default. */
  headerBytesMax: 16 * KIB,
  queryParametersMax: 200,
  /** What a forward gets besides ours and the target's. */
  forwardHeadersMax: 32,
  correlationIdLengthMax: 256,
  /** One year and a day, so that "in a year" always fits. */
  delayMsMax: 366 * DAY_MS,
  timeoutMsMin: 1,
  timeoutMsMax: 3_600_000,
  retryAttemptsMax: 100,
  retryDelayMsMax: 7 * DAY_MS,
  retryFactorMax: 10,
  retryAgeMsMax: 366 * DAY_MS,
  /** Entries of a list of statuses, or of errors, that are tried again. */
  retryEntriesMax: 100,
  scheduleEveryMsMin: 1_000,
  cronLengthMax: 256,
  /** Coming times of a schedule that are shown. */
  scheduleRunsMax: 100,
  /** What one request for a list of schedules answers. */
  listSchedulesMax: 100,
  /** How many invocations may give rise to one another before the chain is cut. */
  depthMax: 8,
  /** An instruction as a record, its body included, unless the stream takes less. */
  recordBytesMax: MIB,
  /** The first line of a target's response and its headers. */
  responseHeadBytesMax: 16 * KIB,
  /** Response headers kept in the journal. */
  responseHeaderBytesMax: 8 * KIB,
  idempotencyKeyLengthMax: 256,
  batchInvocationsMax: 1_000,
  /** The body of a batch as JSON text, all of which is read before anything is done. */
  batchBytesMax: 16 * MIB,
  /** How long a request may wait for what becomes of an invocation. */
  waitMsMax: 60_000,
  /** What one request for a list answers. */
  listInvocationsMax: 500,
  /** What one bulk request looks at. */
  bulkInvocationsMax: 1_000,
  /** Calls a second. */
  redriveRateMin: 0.01,
  redriveRateMax: 100_000,
} as const

/** What the record of a retry says more than the one that was accepted: its attempt, generation and time. */
const RETRY_BYTES = KIB

/** What journal entry and retry add around the record and the captured response, at the most. */
const ENVELOPE_BYTES = 96 * KIB

/**
 * The size of the largest record to accept, in bytes, so that nothing accepted becomes too large for the stream later:
 * a dead letter holds the record, the captured response and an envelope.
 */
export function acceptedRecordBytesMax(streamRecordBytesMax: number, responseBytesMax: number): number {
  return Math.min(LIMITS.recordBytesMax, streamRecordBytesMax - responseBytesMax - ENVELOPE_BYTES)
}

/**
 * The size of the largest record that an end gives rise to, in bytes, so that it has room for retries as what was accepted.
 * `calledBytesMax` is that of the largest to call.
 */
export function childRecordBytesMax(calledBytesMax: number): number {
  return calledBytesMax - RETRY_BYTES
}

/** The size of the largest record to call, in bytes: the largest that is accepted has retries too. */
export function calledRecordBytesMax(streamRecordBytesMax: number, responseBytesMax: number): number {
  return acceptedRecordBytesMax(streamRecordBytesMax, responseBytesMax) + RETRY_BYTES
}
