import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { connect } from 'nats'

const LOOK_MS = 5
const LEADER_LOOK_MS = 100
const LEADER_MS_MAX = 30_000

/** Resolves while the listeners' group shares out its partitions anew. @throws Error if it does not within `timeoutMs` */
export async function untilRebalance(brokers: string, prefix: string, timeoutMs: number): Promise<void> {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    for (const untilMs = Date.now() + timeoutMs; Date.now() < untilMs; await sleep(LOOK_MS)) {
      const { groups } = await admin.describeGroups([`${prefix}.listeners`])
      if (groups[0]?.state === 'PreparingRebalance' || groups[0]?.state === 'CompletingRebalance') return
    }
  } finally {
    await admin.disconnect()
  }
  throw new Error('The group does not rebalance.')
}

/** The name of the server that leads a stream: the next one, if it has none. @throws Error if there is none for long */
export async function leaderOf(servers: readonly string[], stream: string): Promise<string> {
  const connection = await connect({ servers: [...servers] })
  try {
    const manager = await connection.jetstreamManager({ checkAPI: false })
    for (const untilMs = Date.now() + LEADER_MS_MAX; Date.now() < untilMs; await sleep(LEADER_LOOK_MS)) {
      const info = await manager.streams.info(stream).catch(() => undefined)
      if (info?.cluster?.leader) return info.cluster.leader
    }
  } finally {
    await connection.close()
  }
  throw new Error(`${stream} has no leader.`)
}
