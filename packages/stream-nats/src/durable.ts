import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, type JetStreamManager, nanos } from 'nats'
import { unfit } from './faults.js'
import type { Naming } from './naming.js'
import { codeOf } from './provision.js'
import { encodeToken } from './turn-text.js'

const NOT_FOUND = 10014
const EXISTS = new Set([10013, 10148])
/**
 * A server that crashes forgets the deliveries and acknowledgements of its last tenth of a second, and calls what it
 * delivers again a first delivery. They are surely among so many messages after the last delivery that it knows.
 */
const FORGOTTEN_MAX = 10_000

export interface GroupOptions {
  readonly group: string
  readonly ackWaitMs: number
  readonly maxAckPending: number
}

export interface Joined {
  /** What the durable consumer of the group is called. */
  readonly consumer: string
  /** Above this sequence, what the server calls a first delivery is one. */
  readonly surelyFirstAbove: number
}

/**
 * Creates the durable consumer of a group, or checks and adjusts the one that is there.
 * @throws PosthasteError `stream-unfit` if it would skip or drop records
 */
export async function joinGroup(manager: JetStreamManager, naming: Naming, options: GroupOptions): Promise<Joined> {
  const stream = naming.stream('calls')
  const consumer = encodeToken(options.group)
  const fixed: Partial<ConsumerConfig> = {
    filter_subject: naming.callsSubject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    max_deliver: -1,
  }
  const adjusted: Partial<ConsumerConfig> = {
    ack_wait: nanos(options.ackWaitMs),
    max_ack_pending: options.maxAckPending,
  }
  const found = await findDurable(manager, stream, consumer)
  if (!found) {
    // What stands there may have been delivered by one that somebody removed.
    const { state } = await manager.streams.info(stream)
    await create(manager, stream, { durable_name: consumer, ...fixed, ...adjusted })
    return { consumer, surelyFirstAbove: state.last_seq }
  }
  checkFixed(found, fixed)
  const { ack_wait, max_ack_pending } = found.config
  if (ack_wait !== adjusted.ack_wait || max_ack_pending !== adjusted.max_ack_pending) {
    await manager.consumers.update(stream, consumer, adjusted)
  }
  const { consumer_seq, stream_seq } = found.delivered
  return { consumer, surelyFirstAbove: consumer_seq === 0 ? 0 : stream_seq + FORGOTTEN_MAX }
}

export async function findDurable(
  manager: JetStreamManager,
  stream: string,
  consumer: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(stream, consumer)
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return undefined
    throw error
  }
}

async function create(manager: JetStreamManager, stream: string, config: Partial<ConsumerConfig>): Promise<void> {
  try {
    await manager.consumers.add(stream, config)
  } catch (error) {
    // Another member was quicker.
    if (!EXISTS.has(codeOf(error) ?? 0)) throw error
  }
}

function checkFixed({ name, stream_name, config }: ConsumerInfo, fixed: Partial<ConsumerConfig>): void {
  for (const [setting, wanted] of Object.entries(fixed)) {
    const have = config[setting as keyof ConsumerConfig]
    if (have === wanted) continue
    throw unfit(
      `The consumer ${name} of the NATS stream ${stream_name} has ${setting} ${JSON.stringify(have)}; ` +
        `${JSON.stringify(wanted)} is wanted. Remove it with \`nats consumer rm\`.`,
    )
  }
}
