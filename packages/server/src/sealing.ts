import { Sealer } from '@posthaste/core'
import type { Config } from './config/table.js'

/** What seals what is kept; undefined where no keys are configured, and it is not sealed. */
export function sealerOf({ keys }: Pick<Config, 'keys'>): Sealer | undefined {
  return keys.length > 0 ? new Sealer(keys) : undefined
}
