import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { type ClusterInfo, connect } from 'nats'

const LOOK_MS = 5
const CLUSTER_LOOK_MS = 100
const CLUSTER_MS_MAX = 60_000

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
export function leaderOf(servers: readonly string[], stream: string): Promise<string> {
  return askCluster(servers, stream, ({ leader }) => leader)
}

/** Resolves once every server has all of a stream. @throws Error if one does not for long */
export async function untilWhole(servers: readonly string[], stream: string): Promise<void> {
  await askCluster(servers, stream, ({ leader, replicas = [] }) => leader && replicas.every(({ current }) => current))
}

/** What is read of the servers of a stream, once that is something. */
async function askCluster<T>(
  servers: readonly string[],
  stream: string,
  read: (cluster: ClusterInfo) => T | undefined,
): Promise<T> {
  const connection = await connect({ servers: [...servers] })
  try {
    const manager = await connection.jetstreamManager({ checkAPI: false })
    for (const untilMs = Date.now() + CLUSTER_MS_MAX; Date.now() < untilMs; await sleep(CLUSTER_LOOK_MS)) {
      const info = await manager.streams.info(stream).catch(() => undefined)
      const found = info?.cluster && read(info.cluster)
      if (found) return found
    }
  } finally {
    await connection.close()
  }
  throw new Error(`The servers of ${stream} are not there.`)
}
