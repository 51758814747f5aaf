export { Accepter } from './accepter.js'
export type {
  AccepterOptions,
  Activity,
  CycleDoor,
  InvocationsDoor,
  Metrics,
  Readiness,
  ViewDoor,
} from './accepter-options.js'
export { type Caller, type Credentials, type RequestLimit, requestLimit, type UsualLimits } from './caller.js'
export type { DoorOptions, DoorSetting } from './doors/door-options.js'
export { JwtCallers, type JwtOptions } from './jwt-callers.js'
export { type Problem, problemOf } from './problem.js'
export { Tokens } from './tokens.js'
