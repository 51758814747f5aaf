export { EmbeddedStream, type EmbeddedStreamOptions } from './embedded-stream.js'
export type { Retention } from './retention.js'
