import type { JetStreamAccountStats } from 'nats'
import type { Connection } from './connection.js'
import { unfit } from './faults.js'
import { HEADER_BYTES_MAX } from './message.js'

/** No record is larger, whatever the server takes: many of them are in memory at one time. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024
/** A dead letter holds a record, the response and an envelope of 96 KiB: with less, next to nothing could be accepted. */
const RECORD_BYTES_MIN = 256 * 1024
/** The first patch release of each line whose message schedules lose nothing; every later minor has them too. */
const FIRST_FIT = new Map([
  ['2.12', 12],
  ['2.14', 3],
])
const NEEDED_VERSION = '2.12.12 or later of 2.12, or 2.14.3 or later'

/** Before the connection is asked anything: of a server that was not started. */
export const DEFAULT_RECORD_BYTES_MAX = 1024 * 1024 - HEADER_BYTES_MAX

/**
 * The size of the largest record that the server takes.
 * @throws PosthasteError `stream-unfit` if the server is too old, has no JetStream, or takes only small messages
 */
export function checkServer({ nats }: Connection, wantedBytesMax = RECORD_BYTES_MAX): number {
  const { info } = nats
  if (!info) throw unfit('The NATS server does not say what it is.')
  if (!hasSchedules(info.version)) {
    throw unfit(
      `The NATS server is ${info.version}: its message schedules are missing or lose data. Use ${NEEDED_VERSION}.`,
    )
  }
  const bytesMax = Math.min(wantedBytesMax, RECORD_BYTES_MAX, info.max_payload - HEADER_BYTES_MAX)
  if (info.max_payload < RECORD_BYTES_MIN + HEADER_BYTES_MAX) {
    throw unfit(
      `The NATS server's max_payload is ${info.max_payload}; at least ${RECORD_BYTES_MIN + HEADER_BYTES_MAX} is wanted. Raise it in its configuration.`,
    )
  }
  return bytesMax
}

/** @throws PosthasteError `stream-unfit` if the account can have no more streams where some are missing */
export function checkAccount({ limits, streams }: JetStreamAccountStats, missing: number): void {
  if (limits.max_streams > 0 && streams + missing > limits.max_streams) {
    throw unfit(
      `The NATS account may have ${limits.max_streams} streams and has ${streams}; ${missing} more are wanted. Raise max_streams.`,
    )
  }
}

export function hasSchedules(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number)
  if (major !== 2 || minor > 14) return major > 2 || minor > 14
  return patch >= (FIRST_FIT.get(`2.${minor}`) ?? Number.POSITIVE_INFINITY)
}
