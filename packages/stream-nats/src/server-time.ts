import type { JetStreamManager } from 'nats'
import { unavailable } from './faults.js'

/**
 * Asks for the time of the server that leads `stream`, in milliseconds since the Unix epoch: it says when it looked.
 * Of the stream of calls that is the one that fires timers.
 */
export async function serverTime(manager: JetStreamManager, stream: string): Promise<number> {
  const { ts } = await manager.streams.info(stream)
  if (ts === undefined) throw unavailable('The NATS server does not tell the time.')
  return Date.parse(ts)
}
