import type { buildConnector } from 'undici'

/** What holds for each target. */
export interface TargetLimits {
  /** Where it is, if not at its origin. */
  readonly at?: string
  /** Calls running at once. */
  readonly places: number
  /** Failures in a row after which it may count as dead; 0 for never. */
  readonly failures: number
  /** Calls that begin in a second; 0 for any number. */
  readonly rate: number
  /** Calls that may begin at once after a rest, where there is a rate. */
  readonly burst: number
  /** Makes what connects to an origin; to none but public addresses if left out. */
  readonly connectorOf?: (origin: string) => buildConnector.connector
}

/** Tells what holds now for an origin, for which `before` held; undefined for those that have nothing of their own. */
export type LimitsOf = (origin: string, before?: TargetLimits) => TargetLimits | undefined
