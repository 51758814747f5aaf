// The other side of `ListenerThread`: a stream and a listener.

import { type FunctionMap, NO_FUNCTIONS } from '@posthaste/core'
import { type Backend, openBackend } from './backend.js'
import type { Config } from './config/table.js'
import { LocalListener } from './listener-part.js'
import type { ListenerStart } from './listener-thread.js'
import { createLogger } from './logger.js'
import { serveThread, threadData } from './part-thread-worker.js'

const config = threadData<Config>()
const log = createLogger(config)
let backend: Backend | undefined
let listener: LocalListener | undefined
let functions: FunctionMap = NO_FUNCTIONS

serveThread({
  async start({ functions: given, url }: ListenerStart) {
    functions = given
    backend ??= await openBackend(config, log)
    listener ??= new LocalListener(config, backend, log, () => functions)
    await backend.stream.start()
    return listener.start(url)
  },
  change(changed: FunctionMap) {
    functions = changed
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
