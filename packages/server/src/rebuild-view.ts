import { type Log, PosthasteError } from '@posthaste/core'
import type { InvocationView } from '@posthaste/storage'
import { LOG_NAMES, type LogName, type Stream } from '@posthaste/stream'
import { openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { openView } from './view-file.js'

/** What is written at once: a commit costs as much for little as for much. */
const WRITE_BYTES = 4 * 1024 * 1024

type Change = Parameters<InvocationView['apply']>[0][number]

/**
 * Empties the view and fills it again from what the logs still hold. A process that runs meanwhile helps. Returns how many
 * invocations it shows then.
 * @throws PosthasteError `stream-unavailable`
 */
export async function rebuildView(config: Config, log: Log, signal: AbortSignal): Promise<{ readonly shown: number }> {
  const backend = await openBackend(config, log)
  const file = openView(config)
  try {
    await backend.stream.start()
    await file.view.clear()
    for (const name of LOG_NAMES) {
      // Where another process was faster, on from where that is.
      while (!(await readToEnd(name, backend.stream, file.view, signal)));
    }
    if (signal.aborted) throw new PosthasteError('stopping', 'Stopped before the view was rebuilt: rebuild it again.')
    return { shown: Object.values(file.view.counts().byState).reduce((sum, count) => sum + count, 0) }
  } finally {
    await backend.close()
    await file.close()
  }
}

/** Whether all of a log could be written: not if the view was moved on by another. */
async function readToEnd(log: LogName, stream: Stream, view: InvocationView, signal: AbortSignal): Promise<boolean> {
  let changes: Change[] = []
  let bytes = 0
  let from = view.position(log)
  for await (const { position: to, records } of stream.follow(log, from ?? 'start', { signal, untilEnd: true })) {
    changes.push({ log, from, to, records })
    from = to
    for (const { value } of records) bytes += value.length
    if (bytes < WRITE_BYTES) continue
    if ((await view.apply(changes)) === 'behind') return false
    changes = []
    bytes = 0
  }
  return (await view.apply(changes)) === 'applied'
}
