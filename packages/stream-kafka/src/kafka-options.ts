import type { Socket } from 'node:net'
import type { Log } from '@posthaste/core'
import type { CheckpointStore } from '@posthaste/storage'

/** How much of the journal is kept: what is older, or beyond the size, goes. `bytes` is for all partitions together. */
export interface Retention {
  readonly ageMs: number
  readonly bytes: number
}

export interface Sasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

/** Files in PEM format. */
export interface SslFiles {
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

export interface KafkaStreamOptions {
  /** `host:port`, several with commas between them. */
  readonly brokers: string
  /** The names of topics and groups begin with it and a dot. `posthaste` if left out. */
  readonly prefix?: string
  /** Of each log, when it is created: 24 if left out. */
  readonly partitions?: number
  /** Of each lane of timers, when it is created: 8 if left out. */
  readonly timerPartitions?: number
  /** How many lanes of timers beyond the one of seconds there are: enough for a year if left out. Fewer mean more moves. */
  readonly timerLanes?: number
  /** Copies of each topic when it is created; as many as there are brokers, but no more than 3, if left out. */
  readonly replicas?: number
  /** Copies that must have a record before it counts as durable: 2 of 3 or more, else 1, if left out. */
  readonly minInsyncReplicas?: number
  readonly journalRetention: Retention
  /** How long claims are kept: a day if left out. */
  readonly claimRetentionMs?: number
  readonly ssl?: boolean | SslFiles
  readonly sasl?: Sasl
  /** How long a member that says nothing keeps what it owns: 30 s if left out. */
  readonly sessionTimeoutMs?: number
  /** 500 ms if left out. */
  readonly commitEveryMs?: number
  /** 5 s if left out. */
  readonly trimEveryMs?: number
  /** Where checkpoints are kept besides the group's offsets; it fences owners. */
  readonly checkpoints?: CheckpointStore
  readonly log: Log
  /** Opens connections, for whoever has a way of their own to the brokers. */
  readonly openSocket?: (target: SocketTarget) => Socket
}

export interface SocketTarget {
  readonly host: string
  readonly port: number
  readonly ssl: object | undefined
  /** To be called once it is connected. */
  readonly onConnect: () => void
}

/** The options with nothing left out that has a default. */
export interface Settings extends KafkaStreamOptions {
  readonly prefix: string
  readonly partitions: number
  readonly timerPartitions: number
  readonly timerLanes: number
  readonly claimRetentionMs: number
  readonly sessionTimeoutMs: number
  readonly commitEveryMs: number
  readonly trimEveryMs: number
}

/** Lanes of 4 s, 8 s, ... up to 2^24 s, where whatever has to wait for up to 388 days fits. */
const LANES = 23

export function settingsOf(options: KafkaStreamOptions): Settings {
  return {
    prefix: 'posthaste',
    partitions: 24,
    timerPartitions: 8,
    timerLanes: LANES,
    claimRetentionMs: 86_400_000,
    sessionTimeoutMs: 30_000,
    commitEveryMs: 500,
    trimEveryMs: 5_000,
    ...options,
  }
}
