import { type Log, PosthasteError } from '@posthaste/core'
import { Environment, LmdbCheckpointStore } from '@posthaste/storage'
import { SealedStream, type Stream } from '@posthaste/stream'
import { EmbeddedStream } from '@posthaste/stream-embedded'
import { CheckpointsOnDemand, type OpenCheckpointStore } from './checkpoints-on-demand.js'
import { kafkaOptions, natsOptions } from './config/broker-options.js'
import type { Config } from './config/table.js'
import { sealerOf } from './sealing.js'
import { openModule } from './stream-module.js'

/** A stream and what it stands on. */
export interface Backend {
  readonly stream: Stream
  /** Stops the stream and closes what it stands on. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the stream that the configuration names, without starting it: the only place that knows the backends.
 * @throws PosthasteError `invalid-configuration`
 */
export async function openBackend(config: Config, log: Log): Promise<Backend> {
  const backend = await openUnsealed(config, log)
  const sealer = sealerOf(config)
  return sealer ? { ...backend, stream: new SealedStream(backend.stream, sealer) } : backend
}

async function openUnsealed(config: Config, log: Log): Promise<Backend> {
  if (config.checkpoints !== 'stream' && config.stream !== 'kafka') {
    const detail = `Checkpoints in ${config.checkpoints} are for the kafka stream; the ${config.stream} stream keeps its own.`
    throw new PosthasteError('invalid-configuration', detail)
  }
  if (config.stream === 'embedded') return openEmbedded(config, log)
  if (config.stream === 'kafka') return openKafka(config, log)
  if (config.stream === 'nats') return openNats(config, log)
  return backendOf(await openModule(config, log))
}

function openEmbedded(config: Config, log: Log): Backend {
  const environment = new Environment({ directory: config.dataDir, reserveBytes: config.diskReserve })
  const stream = new EmbeddedStream({
    environment,
    checkpoints: new LmdbCheckpointStore(environment),
    journalRetention: { ageMs: config.journalAge, bytes: config.journalSize },
    claimRetentionMs: config.claimAge,
    log,
  })
  return backendOf(stream, () => environment.close())
}

// What is not used is not loaded: a start is to be quick.

async function openNats(config: Config, log: Log): Promise<Backend> {
  const { NatsStream } = await import('@posthaste/stream-nats')
  return backendOf(new NatsStream(natsOptions(config, log)))
}

async function openKafka(config: Config, log: Log): Promise<Backend> {
  const { KafkaStream } = await import('@posthaste/stream-kafka')
  const options = kafkaOptions(config, log)
  if (config.checkpoints === 'stream') return backendOf(new KafkaStream(options))
  const checkpoints = new CheckpointsOnDemand(() => openCheckpoints(config, log))
  return backendOf(new KafkaStream({ ...options, checkpoints }), () => checkpoints.close())
}

/** A store that can be shared by listeners on several machines. */
async function openCheckpoints(config: Config, log: Log): Promise<OpenCheckpointStore> {
  if (config.checkpoints === 'nats') {
    const { NatsCheckpointStore } = await import('@posthaste/stream-nats')
    return NatsCheckpointStore.open(natsOptions(config, log))
  }
  const { KafkaCheckpointStore } = await import('@posthaste/stream-kafka')
  return KafkaCheckpointStore.open(kafkaOptions(config, log))
}

function backendOf(stream: Stream, closeBelow: () => Promise<void> = async () => undefined): Backend {
  return {
    stream,
    async close() {
      await stream.stop()
      await closeBelow()
    },
  }
}
