// The other side of `ViewThread`: a stream, and the view that is fed from it.

import { setPriority } from 'node:os'
import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { createLogger } from './logger.js'
import { serveThread, tell, threadData } from './part-thread-worker.js'
import { ViewFeed } from './view-feed.js'
import { type OpenView, openView } from './view-file.js'
import { sharedTime, type ViewProgress } from './view-progress.js'

const TELL_EVERY_MS = 250
/** Where processors are short, calls go before what is shown of them. */
const NICENESS = 10

const config = threadData<Config>()
const log = createLogger(config)
const stopping = new AbortController()
let backend: Backend | undefined
let file: OpenView | undefined
let feed: ViewFeed | undefined
let running: Promise<void> | undefined
let isWatched = false
let toldAtMs = Number.NEGATIVE_INFINITY

yieldProcessors()

serveThread({
  async start() {
    backend ??= await openBackend(config, log)
    await backend.stream.start()
    file ??= openView(config)
    const { stream } = backend
    feed ??= new ViewFeed({ stream, view: file.view, log, onProgress: tellProgress })
    feed.isWatched = isWatched
    running ??= feed.run(stopping.signal)
  },
  watch(watched: boolean) {
    isWatched = watched
    if (feed) feed.isWatched = watched
  },
  async stop() {
    stopping.abort()
    await running
    await backend?.close()
    await file?.close()
  },
})

/** Says up to when the view is complete: at each step while somebody waits, else now and then. */
function tellProgress(): void {
  const nowMs = performance.now()
  if (!feed || (!isWatched && nowMs - toldAtMs < TELL_EVERY_MS)) return
  toldAtMs = nowMs
  tell({ asOf: sharedTime(feed.asOfMs) } satisfies ViewProgress)
}

function yieldProcessors(): void {
  // On Linux this is about the thread that asks, elsewhere about the whole process.
  if (process.platform !== 'linux') return
  try {
    setPriority(NICENESS)
  } catch (error) {
    // A sandbox may forbid it: nothing but speed depends on it.
    log.debug({ err: error }, 'the priority of the view cannot be lowered')
  }
}
