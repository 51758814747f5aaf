export type { Call } from './call.js'
export {
  type DecodedCall,
  decodeCall,
  encodeCall,
  peekOrigin,
  RECORD_VERSION,
  type RecordOrigin,
} from './call-codec.js'
export { type Clock, systemClock } from './clock.js'
export { formatDuration, parseDuration } from './duration.js'
export { ERRORS, type ErrorCode, type FieldError, PosthasteError } from './errors.js'
export { forwardId, forwardOf } from './forward.js'
export type { Headers } from './headers.js'
export { createId, deriveId, ID_PATTERN, idTimeMs } from './ids.js'
export { formatInstant, parseInstant } from './instant.js'
export { type CallContent, parseInstruction } from './instruction.js'
export { type InstructionInput, InstructionSchema } from './instruction-schema.js'
export {
  decodeJournalEntry,
  encodeJournalEntry,
  type Happening,
  type JournalEntry,
  journalEntryOf,
  outcomeOf,
} from './journal-entry.js'
export {
  type Admission,
  decideAdmission,
  decideSequel,
  type Failure,
  type FinalState,
  type JournalState,
  type Sequel,
} from './lifecycle.js'
export { acceptedRecordBytesMax, calledRecordBytesMax, LIMITS } from './limits.js'
export type { Log } from './log.js'
export type { OffsetRange } from './offset-range.js'
export { type Answered, isSuccess, isTruncated, type Outcome, type TargetResponse, type Unanswered } from './outcome.js'
export { DEFAULT_RETRY_POLICY, type RetryPolicy, retryDelayMs } from './retry-policy.js'
export { originOf, pathOf } from './url.js'
