export { Accepter } from './accepter.js'
export type { AccepterOptions, CycleDoor, InvocationsDoor, Readiness } from './accepter-options.js'
export { type Problem, problemOf } from './problem.js'
