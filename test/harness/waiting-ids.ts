import { LmdbCheckpointStore } from '@posthaste/storage'
import type { EmbeddedInstallation } from './embedded-installation.js'

/** The checkpoint of the listeners' group on the only partition. */
const CHECKPOINT = 'listeners/0'

/** Reads the keys of all records in an embedded installation that are still to be done: on the timers, or on `calls`. */
export async function readWaitingIds(installation: EmbeddedInstallation): Promise<Set<string>> {
  const { close, environment, stream } = await installation.open()
  try {
    const ids = new Set<string>()
    for (const { value } of environment.table<[number, number]>('timers').getRange()) {
      for (const key of keysOf(value)) ids.add(key)
    }
    const { beyond, offset } = await new LmdbCheckpointStore(environment).read(CHECKPOINT)
    for await (const { records } of stream.follow('calls', String(offset), { untilEnd: true })) {
      for (const record of records) {
        if (!beyond.some(([from, to]) => from <= record.offset && record.offset < to)) ids.add(record.key)
      }
    }
    return ids
  } finally {
    await close()
  }
}

/** The keys in a batch. Its layout is described in packages/stream-embedded/src/record-batch.ts. */
function* keysOf(batch: Buffer): Iterable<string> {
  let at = 12
  for (let left = batch.readUInt32LE(0); left > 0; left -= 1) {
    const keyEnd = at + 6 + batch.readUInt16LE(at)
    yield batch.toString('utf8', at + 6, keyEnd)
    at = keyEnd + batch.readUInt32LE(at + 2)
  }
}
