import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NO_SERVER } from './nats-harness.js'

/** A server of one test, which may be killed. */
export interface OwnServer {
  readonly url: string
  readonly port: number
  kill(): Promise<void>
  /** With the same port and the same data. */
  start(): Promise<void>
  pause(): void
  resume(): void
  stop(): Promise<void>
}

interface Launcher {
  lackingForNats(): string | undefined
  startNats(options: { directory: string; config?: object }): Promise<OwnServer>
  startNatsCluster(): Promise<{ readonly urls: readonly string[]; stop(): Promise<void> }>
}

const launcher = (await import(new URL('../../../../scripts/brokers/nats.mjs', import.meta.url).href)) as Launcher
const lacking = launcher.lackingForNats()

/** Why a test that needs a server of its own cannot run; false if it can. */
export const NO_OWN_SERVER = NO_SERVER || (lacking === undefined ? false : `${lacking} is missing`)

/** What tap's `t` does after a test. */
interface Test {
  teardown(after: () => Promise<void>): unknown
}

/** Starts a server, which is stopped after the test. `config` replaces blocks of its configuration. */
export async function startServer(t: Test, config: (directory: string) => object = () => ({})): Promise<OwnServer> {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-nats-'))
  const server = await launcher.startNats({ directory, config: config(directory) })
  t.teardown(async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return server
}

/** Starts three servers, which are stopped after the test; resolves with their URLs. */
export async function startCluster(t: Test): Promise<string> {
  const cluster = await launcher.startNatsCluster()
  t.teardown(() => cluster.stop())
  return cluster.urls.join(',')
}
