import { createLogger, loadConfig, maskConfig, type Role, runCycle, Server } from '@posthaste/server'
import type { Given } from './program.js'

/** Runs a server until a signal asks it to stop, and returns the exit code. A second signal ends it at once. */
export async function runServer(role: Role, given: Given): Promise<number> {
  const config = loadConfig(sourcesOf(given))
  const log = createLogger(config)
  const server = new Server(config, role, log)
  const signal = nextSignal()
  const url = await server.start()
  log.info(
    { role, url, config: maskConfig(config) },
    `posthaste listens on ${url}, on the ${config.stream} stream${config.stream === 'embedded' ? ` in ${config.dataDir}` : ''}`,
  )
  try {
    log.info({ signal: await Promise.race([signal, server.failure]) }, 'stopping')
  } finally {
    void nextSignal().then(() => process.exit(1))
    await server.stop()
  }
  log.info({}, 'stopped')
  return 0
}

/** Drains the stream once, prints the report, and returns the exit code: 0 if it is drained. A second signal ends it at once. */
export async function runOneCycle(given: Given): Promise<number> {
  const config = loadConfig(sourcesOf(given))
  const stopping = new AbortController()
  void nextSignal().then(() => {
    stopping.abort()
    void nextSignal().then(() => process.exit(1))
  })
  const report = await runCycle(
    config,
    createLogger({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel }),
    stopping.signal,
  )
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  return report.drained ? 0 : 1
}

function sourcesOf({ flags, file }: Given) {
  return { flags, ...(file !== undefined && { file }) }
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}
