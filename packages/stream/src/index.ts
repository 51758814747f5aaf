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
export type {
  Followed,
  FollowOptions,
  LogName,
  NewRecord,
  Position,
  StoredRecord,
  Stream,
  StreamHealth,
  StreamSupports,
} from './stream.js'
