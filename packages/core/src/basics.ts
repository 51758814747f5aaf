// What needs no schema and no library. A command that asks and ends starts in half the time with this alone.

export { parseDuration } from './duration.js'
export { PosthasteError } from './errors.js'
export { ID_PATTERN } from './ids.js'
export { formatInstant, parseInstant } from './instant.js'
export { isJson } from './json-text.js'
export { isFinalState } from './lifecycle.js'
export { LIMITS } from './limits.js'
