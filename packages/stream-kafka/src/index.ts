export { KafkaCheckpointStore } from './kafka-checkpoint-store.js'
export type { KafkaStreamOptions, Retention, Sasl, SocketTarget, SslFiles } from './kafka-options.js'
export { KafkaStream } from './kafka-stream.js'
