import {
  type Config,
  createLogger,
  loadConfig,
  maskConfig,
  type Role,
  rebuildView,
  runCycle,
  Server,
} from '@posthaste/server'
import { EXIT, type ExitCode } from './exit-codes.js'
import type { Given } from './server-commands.js'

/** Runs a server until a signal asks it to stop, and returns the exit code. A second signal ends it at once. */
export async function runServer(role: Role, given: Given): Promise<ExitCode> {
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
    void nextSignal().then(() => process.exit(EXIT.failed))
    await server.stop()
  }
  log.info({}, 'stopped')
  return EXIT.done
}

/** Drains the stream once, prints the report, and returns the exit code: 0 if it is drained. A second signal ends it at once. */
export async function runOneCycle(given: Given): Promise<ExitCode> {
  const config = loadConfig(sourcesOf(given))
  const report = await runCycle(config, quietLogger(config), firstOfSignals(), given.token)
  print(report, given)
  return report.drained ? EXIT.done : EXIT.failed
}

/** Rebuilds the view, prints how many invocations it shows, and returns the exit code: 0 if it is whole. A second signal ends it at once. */
export async function rebuild(given: Given): Promise<ExitCode> {
  const config = loadConfig(sourcesOf(given))
  const stopping = firstOfSignals()
  print(await rebuildView(config, quietLogger(config), stopping), given)
  return stopping.aborted ? EXIT.failed : EXIT.done
}

/** What is printed is the result: `info` would be noise beside it. */
function quietLogger({ logLevel }: Config) {
  return createLogger({ logLevel: logLevel === 'info' ? 'warn' : logLevel })
}

function print(report: object, { stdout }: Given): void {
  stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
}

/** Aborts with the first signal that asks the process to stop; the second ends it at once. */
function firstOfSignals(): AbortSignal {
  const stopping = new AbortController()
  void nextSignal().then(() => {
    stopping.abort()
    void nextSignal().then(() => process.exit(EXIT.failed))
  })
  return stopping.signal
}

function sourcesOf({ flags, file }: Given) {
  return { flags, ...(file !== undefined && { file }) }
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}
