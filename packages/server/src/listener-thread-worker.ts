// The other side of `ListenerThread`: a stream and a listener.

import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { LocalListener } from './listener-part.js'
import { createLogger } from './logger.js'
import { serveThread, threadData } from './part-thread-worker.js'

const config = threadData<Config>()
const log = createLogger(config)
let backend: Backend | undefined
let listener: LocalListener | undefined

serveThread({
  async start(url: string) {
    backend ??= await openBackend(config, log)
    listener ??= new LocalListener(config, backend, log)
    await backend.stream.start()
    return listener.start(url)
  },
  ping: (waitMs: number) => listener?.ping(waitMs),
  report: () => listener?.report(),
  metrics: () => listener?.metrics(),
  blocked: () => listener?.blocked(),
  async stop() {
    await listener?.stop()
    return backend?.close()
  },
})
