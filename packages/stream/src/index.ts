export { type ClockSkew, measureClockSkew } from './clock-skew.js'
export { CompletedPrefix } from './completed-prefix.js'
export type {
  Begun,
  Completed,
  ConsumeOptions,
  Consumer,
  Delivery,
  Effects,
  NewTimer,
  Progress,
  PullOptions,
} from './consumer.js'
export type { LogName, NewRecord, StoredRecord, Turn } from './record.js'
export type {
  Followed,
  FollowOptions,
  Position,
  Stream,
  StreamHealth,
  StreamSupports,
} from './stream.js'
