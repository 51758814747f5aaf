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
export { type Problem, problemOf } from './problem.js'
