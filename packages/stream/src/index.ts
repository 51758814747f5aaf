export { CompletedPrefix } from './completed-prefix.js'
export type {
  Completed,
  ConsumeOptions,
  Consumer,
  Delivery,
  Effects,
  NewTimer,
  Progress,
  PullOptions,
} from './consumer.js'
export type { LogName, NewRecord, StoredRecord } from './record.js'
export type {
  Followed,
  FollowOptions,
  Position,
  Stream,
  StreamHealth,
  StreamSupports,
} from './stream.js'
