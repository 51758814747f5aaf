import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Functions } from '../src/functions.js'
import { type Config, createLogger, loadConfig } from '../src/index.js'
import { ListenerThread } from '../src/listener-thread.js'

const NONE = new Functions(undefined, createLogger({ logLevel: 'silent' }))

t.test('a listener in a thread answers until it is stopped, and says so from then on', async (t) => {
  const listener = new ListenerThread(configOf(makeDirectory(t)), NONE)
  await listener.start('http://127.0.0.1:1')
  t.match(await listener.ping(1_000), {
    drained: true,
    partitions: [{ owner: 'this', member: 'http://127.0.0.1:1' }],
  })
  t.equal(await listener.blocked(), undefined)
  const pinged = listener.ping(60_000).catch((error: unknown) => error)
  await Promise.all([listener.stop(), listener.stop()])
  t.ok(await pinged, 'what was asked before is answered, one way or the other')
  await t.rejects(listener.ping(0), { code: 'stopping' })
  await t.rejects(listener.blocked(), { code: 'stopping' })
  await listener.stop()
})

t.test('a stop without a start is fine', async () => {
  await new ListenerThread(configOf('/nowhere'), NONE).stop()
})

t.test('a listener that cannot start says why, and can be stopped', async (t) => {
  const file = join(makeDirectory(t), 'file')
  writeFileSync(file, '')
  const listener = new ListenerThread(configOf(join(file, 'data')), NONE)
  await t.rejects(listener.start('http://127.0.0.1:1'), /ENOTDIR/)
  await listener.stop()
})

function configOf(dataDir: string): Config {
  return loadConfig({ environment: {}, flags: { dataDir, diskReserve: '0', stopGrace: '1s', logLevel: 'silent' } })
}

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}
