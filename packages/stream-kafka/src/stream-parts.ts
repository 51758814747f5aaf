import type { Admin, Kafka } from 'kafkajs'
import type { Settings } from './kafka-options.js'
import type { Sender } from './sender.js'
import type { TopicNames } from './topic-names.js'
import type { Topics } from './topics.js'
import type { Watermarks } from './watermarks.js'

/** What the parts of a stream that was started share. */
export interface StreamParts {
  readonly settings: Settings
  /** Makes a client for one member of a group. */
  readonly client: () => Kafka
  readonly admin: Admin
  readonly names: TopicNames
  readonly topics: Topics
  readonly watermarks: Watermarks
  /** Sends what follows from deliveries, and timers that move on. */
  readonly effects: Sender
}
