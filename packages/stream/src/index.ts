export { Bell } from './bell.js'
export { type ClockSkew, measureClockSkew } from './clock-skew.js'
export { CompletedPrefix } from './completed-prefix.js'
export type {
  Acted,
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
export { KeptOffset } from './kept-offset.js'
export { LOG_NAMES, type LogName, type NewRecord, type StoredRecord, type Turn } from './record.js'
export { SealedStream } from './sealed-stream.js'
export type {
  Followed,
  FollowOptions,
  Position,
  Stream,
  StreamHealth,
  StreamSupports,
} from './stream.js'
