import { PosthasteError } from '@posthaste/core'
import type { Producer } from 'kafkajs'

const PARTITION = 0
/** The leader alone: what is written here may be lost. */
const ACKS = 1
const ACKNOWLEDGE_MS = 5_000

/**
 * Asks for the time of the broker that leads the topic of clocks, in milliseconds since the Unix epoch. Brokers tell it
 * nowhere but in the answer to a record that gets its time from them: an empty one is written for that.
 */
export async function brokerTime(producer: Producer, topic: string): Promise<number> {
  const messages = [{ partition: PARTITION, value: null }]
  const [placed] = await producer.send({ topic, acks: ACKS, timeout: ACKNOWLEDGE_MS, messages })
  const timeMs = Number(placed?.logAppendTime ?? -1)
  if (timeMs >= 0) return timeMs
  throw new PosthasteError('stream-unfit', `${topic} has lost its message.timestamp.type=LogAppendTime.`)
}
