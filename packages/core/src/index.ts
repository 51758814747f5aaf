export { type AccessKey, createAccessKey } from './access-key.js'
export { isLoopbackHost, networkOf, readRange } from './address.js'
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
export { type Bearer, type CallLine, callLineOf, peekBearer, readCallLine, tenantOfLine } from './call-line.js'
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
export {
  checkTargets,
  DEFAULT_EGRESS,
  EgressPolicy,
  type EgressRules,
  readPorts,
  targetRefused,
  unknownFunction,
  urlsOf,
} from './egress-policy.js'
export { ERRORS, type ErrorCode, type FieldError, PosthasteError, pointerPart } from './errors.js'
export { type Forward, forwardId, forwardOf } from './forward.js'
export { TEMPLATE_NAMES, templateOf } from './forward-template.js'
export { FunctionSchema, type FunctionSurroundings, parseFunctionFile } from './function-file.js'
export { FUNCTION_PATTERN, matchesFunction } from './function-pattern.js'
export { GatheredBytes } from './gathered-bytes.js'
export { CONNECTION_HEADERS, type Headers, isHeaderValue, likenessOf, OWN_PREFIX } from './headers.js'
export { createId, deriveId, ID_PATTERN, idTimeMs } from './ids.js'
export { formatInstant, parseInstant } from './instant.js'
export { type CallContent, parseInstruction } from './instruction.js'
export { type InstructionInput, InstructionSchema } from './instruction-schema.js'
export {
  type Attempt,
  clientNameOf,
  type DeadLetter,
  type Invocation,
  type InvocationCounts,
  type InvocationPage,
  type InvocationQuery,
  type KeptResponse,
  type ShownInstruction,
  type ShownResponse,
  type WaitingTurn,
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
export { parseKeyFile } from './key-file.js'
export { Known } from './known.js'
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
export {
  type FunctionLimits,
  type FunctionMap,
  functionMapOf,
  functionOf,
  functionUrl,
  type NamedFunction,
  NO_FUNCTIONS,
  resolveFunction,
  type Sent,
  withFunction,
} from './named-function.js'
export type { OffsetRange } from './offset-range.js'
export {
  matchesOrigin,
  ORIGIN_PATTERN_FORM,
  type Origin,
  type OriginPattern,
  parseOriginPattern,
  readOrigin,
} from './origin-pattern.js'
export { type Answered, isSuccess, isTruncated, type Outcome, type TargetResponse, type Unanswered } from './outcome.js'
export { redactedBody, redactedCall, redactedOutcome } from './redaction.js'
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
export { isScope, SCOPES, type Scope, TENANT_PATTERN } from './scope.js'
export { isSealed, SEAL_BYTES_MAX, Sealer, type SealingKey, sealed } from './sealer.js'
export { maskedHeaders, maskedUrl } from './secrets.js'
export {
  type ScheduleEnd,
  type SchedulePage,
  type ScheduleQuery,
  type ShownSchedule,
  shownSchedule,
} from './shown-schedule.js'
export { parseSigningKey, privateKeyOf, type SigningKey } from './signing-key.js'
export {
  joinStandings,
  type Standing,
  standingOfCall,
  standingOfDirective,
  standingOfEntry,
  stateOf,
} from './standing.js'
export { parseTargetFile, type SecretReader, type SecretSource } from './target-file.js'
export {
  parseTargetPattern,
  ruleFor,
  type TargetPattern,
  type TargetRule,
  type TargetTls,
  TLS_VERSIONS,
  type TlsVersion,
} from './target-rule.js'
export { createToken, hashToken } from './token.js'
export { parseTokenFile, type TokenEntry, type TokenHolder } from './token-file.js'
export { functionNameOf, isFunctionUrl, originOf, pathOf } from './url.js'
