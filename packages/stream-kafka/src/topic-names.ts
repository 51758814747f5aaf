import type { LogName } from '@posthaste/stream'
import type { Settings } from './kafka-options.js'
import { type Lane, lanesOf } from './lanes.js'

/** The topics of a stream. */
export interface TopicNames {
  readonly calls: string
  readonly journal: string
  readonly control: string
  readonly claims: string
  /** Where brokers are asked for the time: nobody reads it. */
  readonly clock: string
  /** From the shortest to the longest. */
  readonly lanes: readonly LaneTopic[]
}

export interface LaneTopic extends Lane {
  readonly topic: string
}

export function topicNamesOf({ prefix, timerLanes }: Settings): TopicNames {
  return {
    calls: `${prefix}.calls`,
    journal: `${prefix}.journal`,
    control: `${prefix}.control`,
    claims: `${prefix}.claims`,
    clock: `${prefix}.clock`,
    lanes: lanesOf(timerLanes).map((lane) => ({ ...lane, topic: `${prefix}.timers.${lane.name}` })),
  }
}

export function topicOf(names: TopicNames, log: LogName): string {
  return names[log]
}
