import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createLogger, loadConfig, Server, type SettingKey } from '../src/index.js'

const log = createLogger({ logLevel: 'silent' })

t.test("a third party's backend plugs in", async (t) => {
  const directory = makeDirectory(t)
  const called = new Promise<string | undefined>((resolve) => {
    const target = createServer((request, response) => {
      response.end()
      resolve(request.url)
    })
    target.listen(0, '127.0.0.1', async () => {
      t.teardown(() => target.close())
      const options = { streamOptions: JSON.stringify({ directory }), allowAddresses: '127.0.0.1' }
      const server = new Server(configOf(backendIn(directory), options), 'all', log)
      t.teardown(() => server.stop())
      const url = await server.start()
      const to = `http://127.0.0.1:${(target.address() as AddressInfo).port}/hello`
      const response = await fetch(`${url}/invocations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ target: to }),
      })
      t.equal(response.status, 202)
    })
  })
  t.equal(await called, '/hello')
})

t.test('what is no backend says why', async (t) => {
  const directory = makeDirectory(t)
  const empty = join(directory, 'empty.mjs')
  writeFileSync(empty, 'export const openStream = 5\n')
  const broken = join(directory, 'broken.mjs')
  writeFileSync(broken, 'throw new Error("no licence")\n')
  for (const [stream, reason] of [
    [empty, /it exports no function openStream\. The streams that come with Posthaste/],
    [broken, /no licence/],
    [join(directory, 'none.mjs'), /Cannot find module/],
    ['no-such-package', /Cannot find module 'no-such-package'/],
    ['Kafka', /Cannot find module 'Kafka'/],
  ] as const) {
    const server = new Server(configOf(stream), 'accepter', log)
    await t.rejects(server.start(), { code: 'invalid-configuration', message: reason }, stream)
  }
})

t.test('checkpoints elsewhere are for kafka alone', async (t) => {
  for (const [stream, checkpoints] of [
    ['embedded', 'nats'],
    ['embedded', 'kafka'],
    ['nats', 'kafka'],
  ] as const) {
    const server = new Server(configOf(stream, { checkpoints }), 'accepter', log)
    await t.rejects(server.start(), { code: 'invalid-configuration', message: /for the kafka stream/ })
  }
})

t.test('logging in needs a name and a password', async (t) => {
  const server = new Server(configOf('kafka', { kafkaSasl: 'plain', kafkaUsername: 'me' }), 'accepter', log)
  await t.rejects(server.start(), { code: 'invalid-configuration', message: /POSTHASTE_KAFKA_PASSWORD/ })
})

/** A backend as somebody else would write it: here the embedded stream in a module of its own. */
function backendIn(directory: string): string {
  const path = join(directory, 'backend.mjs')
  const storage = import.meta.resolve('@posthaste/storage')
  const embedded = import.meta.resolve('@posthaste/stream-embedded')
  writeFileSync(
    path,
    `import { Environment, LmdbCheckpointStore } from ${JSON.stringify(storage)}
import { EmbeddedStream } from ${JSON.stringify(embedded)}
export function openStream({ options, prefix, journalRetention, log }) {
  const environment = new Environment({ directory: options.directory + '/' + prefix, reserveBytes: 0 })
  return new EmbeddedStream({ environment, checkpoints: new LmdbCheckpointStore(environment), journalRetention, log })
}
`,
  )
  return path
}

function configOf(stream: string, flags: Partial<Record<SettingKey, string>> = {}) {
  return loadConfig({ flags: { port: '0', stream, ...flags }, environment: {} })
}

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
