import type { Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { KafkaStream } from '@posthaste/stream-kafka'
import { NatsStream } from '@posthaste/stream-nats'

// For `node --import`: no call comes to the stream. So an accepter that was sent a key makes its claim, and can be killed
// before it does what comes after that.

for (const prototype of [EmbeddedStream.prototype, KafkaStream.prototype, NatsStream.prototype]) halt(prototype)

function halt(stream: Pick<Stream, 'append'>): void {
  const append = stream.append
  stream.append = function (this: Stream, log, records) {
    return log === 'calls' ? new Promise(() => undefined) : append.call(this, log, records)
  }
}
