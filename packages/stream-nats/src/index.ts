export { NatsCheckpointStore } from './nats-checkpoint-store.js'
export { NatsStream } from './nats-stream.js'
export type { NatsConnectionOptions, NatsStreamOptions, NatsTls } from './options.js'
