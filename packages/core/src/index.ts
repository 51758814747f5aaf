export {
  BatchReceiptSchema,
  type BulkReport,
  BulkReportSchema,
  CancellingSchema,
  CycleReportSchema,
  type InvocationDocument,
  type InvocationList,
  InvocationListSchema,
  InvocationSchema,
  type InvocationSummary,
  LivenessSchema,
  MovingSchema,
  ProblemSchema,
  ReadinessSchema,
  type ReceiptDocument,
  ReceiptSchema,
  RedrivenSchema,
  type StatsDocument,
  StatsSchema,
} from './api-answers.js'
export {
  BatchSchema,
  BulkCancelSchema,
  type BulkRedriveRequest,
  BulkRedriveSchema,
  type BulkRequest,
  type InvocationFilter,
  MoveSchema,
  parseBatch,
  parseBulkCancel,
  parseBulkRedrive,
  parseMove,
  parseTargetFilter,
} from './api-requests.js'
export type { Call } from './call.js'
export {
  type DecodedCall,
  decodeCall,
  encodeCall,
  peekOrigin,
  RECORD_VERSION,
  type RecordOrigin,
} from './call-codec.js'
export { type Bearer, type CallLine, callLineOf, peekBearer, readCallLine } from './call-line.js'
export { type Claim, claimKey, decodeClaim, encodeClaim, type KnownClaim, payloadHash } from './claim.js'
export { type Clock, systemClock } from './clock.js'
export {
  type Directive,
  decideVerdict,
  decodeDirective,
  directiveKey,
  encodeDirective,
  isAllDue,
  keptUntilMs,
  nextDirectiveNumber,
  prevails,
  readDirectiveKey,
  type Verdict,
} from './directive.js'
export { formatDuration, parseDuration } from './duration.js'
export { ERRORS, type ErrorCode, type FieldError, PosthasteError } from './errors.js'
export { forwardId, forwardOf } from './forward.js'
export { type Headers, isHeaderValue } from './headers.js'
export { createId, deriveId, ID_PATTERN, idTimeMs } from './ids.js'
export { formatInstant, parseInstant } from './instant.js'
export { type CallContent, parseInstruction } from './instruction.js'
export { type InstructionInput, InstructionSchema } from './instruction-schema.js'
export type {
  Attempt,
  DeadLetter,
  Invocation,
  InvocationCounts,
  InvocationPage,
  InvocationQuery,
  KeptResponse,
  ShownInstruction,
  ShownResponse,
  WaitingTurn,
} from './invocation.js'
export {
  decodeJournalEntry,
  encodeJournalEntry,
  type Happening,
  type JournalEntry,
  journalEntryOf,
  outcomeOf,
} from './journal-entry.js'
export { attemptOf, type JournalLine, type JournalPeek, peekJournal, readJournalLine } from './journal-line.js'
export {
  type Admission,
  DEAD_LETTER_STATES,
  decideAdmission,
  decideSequel,
  type Failure,
  FINAL_STATES,
  type FinalState,
  INVOCATION_STATES,
  type InvocationState,
  isFinalState,
  type JournalState,
  type Note,
  nextAttempt,
  PENDING_STATES,
  type Sequel,
  type TurnEnd,
} from './lifecycle.js'
export { acceptedRecordBytesMax, calledRecordBytesMax, LIMITS } from './limits.js'
export type { Log } from './log.js'
export type { OffsetRange } from './offset-range.js'
export { type Answered, isSuccess, isTruncated, type Outcome, type TargetResponse, type Unanswered } from './outcome.js'
export { DEFAULT_RETRY_POLICY, type RetryPolicy, retryDelayMs } from './retry-policy.js'
export { maskedHeaders, maskedUrl } from './secrets.js'
export {
  joinStandings,
  type Standing,
  standingOfCall,
  standingOfDirective,
  standingOfEntry,
  stateOf,
} from './standing.js'
export { originOf, pathOf } from './url.js'
