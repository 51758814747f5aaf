import { OPERATIONS } from '../operations.js'
import { alibaba } from './alibaba.js'
import { aws } from './aws.js'
import { boltic } from './boltic.js'
import type { Door } from './door.js'
import { gateway } from './gateway.js'
import { openfaas } from './openfaas.js'
import { prefer } from './prefer.js'
import { raw } from './raw.js'

/** Those by which functions are seen, in the order in which they are asked. */
const FUNCTION_DOORS: readonly Door[] = [openfaas, boltic, aws, gateway, alibaba, prefer]

/** Every door that there can be. */
export const DOORS: readonly Door[] = [raw, ...FUNCTION_DOORS]

export const FUNCTION_DOOR_NAMES: readonly string[] = FUNCTION_DOORS.map(({ name }) => name)
export const DOOR_NAMES: readonly string[] = DOORS.map(({ name }) => name)

/** The first parts of all paths that are ours, or a door's: a function has no route beneath them. */
export const OWN_PATHS: readonly string[] = [
  ...new Set([
    'function',
    ...Object.values(OPERATIONS).map(({ path }) => path.split('/')[1] as string),
    ...DOORS.flatMap(({ firstParts }) => firstParts),
  ]),
]
