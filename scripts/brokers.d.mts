// Types of brokers.mjs, for tests in TypeScript. Compiled tests are one directory deeper than their sources, so they
// import it by its URL:
//
//   const url = new URL('../../../../scripts/brokers.mjs', import.meta.url)
//   const { startKafka } = (await import(url.href)) as typeof import('../../../scripts/brokers.mjs')

/** A broker that is a process of ours. It ends with us at the latest. */
export interface BrokerProcess {
  /** Undefined while it does not run. */
  readonly pid: number | undefined
  readonly port: number
  /** What it keeps, and its settings. */
  readonly directory: string
  /** The file with all that it printed. */
  readonly log: string
  /** Sends a signal that ends it, SIGKILL by default, and resolves when it has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Freezes it: connections stay and nobody answers. */
  pause(): void
  resume(): void
  /** Stops it if it runs and starts it with the same ports and data; resolves once it answers. */
  restart(): Promise<void>
  /** Resolves when nothing runs any more. A directory that was not given is gone then. */
  stop(): Promise<void>
}

export interface Kafka extends BrokerProcess {
  /** `127.0.0.1:port`. */
  readonly brokers: string
}

export interface Nats extends BrokerProcess {
  /** Of the server, as in a stream's `cluster.leader`. */
  readonly name: string
  /** `nats://127.0.0.1:port`. */
  readonly url: string
}

export interface NatsCluster {
  readonly servers: readonly Nats[]
  readonly urls: readonly string[]
  stop(): Promise<void>
}

interface Place {
  /** Where it keeps its data: a temporary directory unless given. */
  readonly directory?: string | undefined
  /** A free one unless given. */
  readonly port?: number | undefined
}

export interface KafkaOptions extends Place {
  /** `3.9`, `4` (the default) or an exact version. */
  readonly version?: string | undefined
  /** Over those of server.properties. */
  readonly properties?: Readonly<Record<string, string | number | boolean>> | undefined
}

export interface NatsOptions extends Place {
  /** Over those of the configuration file, by its first level. */
  readonly config?: Readonly<Record<string, unknown>> | undefined
}

/** Resolves once Kafka answers. @throws Error when it cannot be downloaded or started. */
export function startKafka(options?: KafkaOptions): Promise<Kafka>

/** Resolves once JetStream is ready. @throws Error when it cannot be downloaded or started. */
export function startNats(options?: NatsOptions): Promise<Nats>

/** Resolves once servers `n1`, `n2` ... form a cluster. A stream can have as many replicas; 3 by default. */
export function startNatsCluster(size?: number, options?: Pick<NatsOptions, 'config'>): Promise<NatsCluster>

/** What this machine lacks to start one, such as `Maven`, or undefined. Tests are skipped with it. */
export function lackingForKafka(options?: Pick<KafkaOptions, 'version'>): string | undefined
export function lackingForNats(): string | undefined

/** Ports of 127.0.0.1 that nobody listens on now, all different. */
export function freePorts(count: number): Promise<number[]>
