import type { ConsumerInfo, StreamInfo } from 'nats'
import { callFault, unavailable } from './faults.js'
import type { InWork } from './in-work.js'
import type { NatsDelivery } from './nats-delivery.js'
import type { NatsParts } from './parts.js'

/** How far a group is: everything below `committed` is completed or put off, and the next record will stand at `end`. */
export interface Standing {
  readonly committed: number
  readonly end: number
}

/** Asks the server, and leaves out what `inWork` has only because it is put off here. */
export async function askStanding(
  parts: NatsParts,
  consumer: string,
  inWork: InWork,
  isPutOff: (delivery: NatsDelivery) => boolean,
): Promise<Standing> {
  const sizeBefore = inWork.size
  const [{ state }, info] = await ask(parts, consumer)
  const end = Math.max(state.last_seq, info.delivered.stream_seq) + 1
  const completed = info.ack_floor.stream_seq + 1
  // Others have something in work, or it is on its way here.
  if (info.num_ack_pending > Math.min(sizeBefore, inWork.size)) return { committed: completed, end }
  const delivered = info.delivered.stream_seq + 1
  let first = delivered
  for (const delivery of inWork.all()) {
    if (!isPutOff(delivery)) first = Math.min(first, delivery.record.offset)
  }
  // Timers stand among the calls, so the last call that is completed may not be the last message.
  return { committed: first === delivered && info.num_pending === 0 ? end : Math.max(completed, first), end }
}

async function ask({ connection, manager, naming }: NatsParts, consumer: string): Promise<[StreamInfo, ConsumerInfo]> {
  if (!connection.isWhole) throw unavailable('The connection to NATS is lost.')
  const stream = naming.stream('calls')
  try {
    // In this order: what was stored by the first answer and is not pending by the second is completed.
    const info = await manager.streams.info(stream)
    return [info, await manager.consumers.info(stream, consumer)]
  } catch (error) {
    throw callFault(error)
  }
}
