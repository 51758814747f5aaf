import * as bulk from './bulk-operations.js'
import * as invocation from './invocation-operations.js'
import * as process from './process-operations.js'

/** Everything that the API can be asked for. */
export const OPERATIONS = { ...invocation, ...bulk, ...process } as const
