import * as bulk from './bulk-operations.js'
import * as invocation from './invocation-operations.js'
import * as process from './process-operations.js'
import * as raw from './raw-operations.js'
import * as schedule from './schedule-operations.js'

/** Everything that the API can be asked for. */
export const OPERATIONS = { ...invocation, ...raw, ...schedule, ...bulk, ...process } as const
