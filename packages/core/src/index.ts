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
export { type Births, birthsOf } from './births.js'
export type { Call } from './call.js'
export {
  type DecodedCall,
  decodeCall,
  encodeCall,
  RECORD_VERSION,
  type RecordOrigin,
} from './call-codec.js'
export { type Bearer, type CallLine, callLineOf, peekBearer, readCallLine } from './call-line.js'
export { peekExpiryMs, peekOrigin } from './call-peek.js'
export { type Child, type ChildRole, type Children, childId } from './child.js'
export { type Claim, claimKey, decodeClaim, encodeClaim, type KnownClaim, payloadHash } from './claim.js'
export { type Clock, systemClock } from './clock.js'
export { DESTINATION_FORMATS, type Destination } from './destination.js'
export {
  type Directive,
  type DirectiveKind,
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
export { attemptOf, type JournalLine, type JournalPeek, peekJournal, readJournalLine, retryOf } from './journal-line.js'
export { isJson } from './json-text.js'
export {
  type Admission,
  DEAD_LETTER_STATES,
  decideAdmission,
  decideSequel,
  expiryMsOf,
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
export { acceptedRecordBytesMax, calledRecordBytesMax, childRecordBytesMax, LIMITS } from './limits.js'
export type { Log } from './log.js'
export type { OffsetRange } from './offset-range.js'
export { type Answered, isSuccess, isTruncated, type Outcome, type TargetResponse, type Unanswered } from './outcome.js'
export {
  CALL_ERRORS,
  type CallError,
  DEFAULT_RETRY_POLICY,
  policyOf,
  type RetryPolicy,
  retryDelayMs,
  retryDelayMsMax,
  STATUSES_PATTERN,
} from './retry-policy.js'
export {
  decideSteering,
  decideTick,
  firingId,
  firingOf,
  firstTick,
  isTick,
  MISSED_POLICIES,
  nextTick,
  type Schedule,
  TICK_EVERY_MS,
  type Tick,
  type TickCall,
  type TickSequel,
} from './schedule.js'
export {
  DeletedScheduleSchema,
  SCHEDULE_STATES,
  type ScheduleDocument,
  type ScheduleList,
  ScheduleListSchema,
  ScheduleSchema,
  type ScheduleState,
  SteeringSchema,
} from './schedule-answers.js'
export { parseSchedule, type ScheduleContent, ScheduleRequestSchema } from './schedule-request.js'
export { lastTimeMs, nextTimeMs, type Timing, timesAfter } from './schedule-times.js'
export { maskedHeaders, maskedUrl } from './secrets.js'
export {
  type ScheduleEnd,
  type SchedulePage,
  type ScheduleQuery,
  type ShownSchedule,
  shownSchedule,
} from './shown-schedule.js'
export {
  joinStandings,
  type Standing,
  standingOfCall,
  standingOfDirective,
  standingOfEntry,
  stateOf,
} from './standing.js'
export { originOf, pathOf } from './url.js'
