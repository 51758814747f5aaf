import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@posthaste/core'
import t, { type Test } from 'tap'
import { FileWatch } from '../src/file-watch.js'
import { Functions } from '../src/functions.js'
import { readFunctionFile } from '../src/index.js'

const WAIT_MS_MAX = 60_000
const WRITE_MS = 20
const WRITES = 150

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX
  while (!done()) {
    if (performance.now() > endMs) throw new Error('it did not come about')
    await sleep(WRITE_MS)
  }
}

t.test('files that are mounted are followed, and secrets beside them', async (t) => {
  const folder = makeFolder(t)
  const publish = (version: string, key: string): void => {
    mkdirSync(join(folder, version))
    const text = `functions: { a: { url: http://x/${version}, headers: { X-Key: { file: ${key} } } } }`
    writeFileSync(join(folder, version, 'functions.yaml'), text)
    symlinkSync(version, join(folder, 'new'))
    renameSync(join(folder, 'new'), join(folder, '..data'))
  }
  const path = join(folder, 'functions.yaml')
  symlinkSync('..data/functions.yaml', path)
  writeFileSync(join(folder, 'key'), 'first')
  publish('v1', 'key')

  const lines: object[] = []
  const say = (line: object, message: string) => void lines.push({ ...line, message })
  const log = { debug: say, info: say, warn: say, error: say } as Log
  const functions = new Functions(readFunctionFile(path), log)
  const told: unknown[] = []
  functions.onChange((map) => told.push(map.get('a')?.headers['x-key']))
  functions.start()
  t.teardown(() => functions.stop())
  const now = () => functions.now().get('a')

  publish('v2', 'key2')
  await until(() => functions.isStale)
  t.match(now(), { url: 'http://x/v1', headers: { 'x-key': 'first' } }, 'what is bad changes nothing')
  t.match(lines, [{ path, reason: /key2 cannot be read: ENOENT\.$/ }])
  writeFileSync(join(folder, 'key2'), 'second')
  await until(() => !functions.isStale)
  t.match(now(), { url: 'http://x/v2', headers: { 'x-key': 'second' } }, 'what was missing has come')
  writeFileSync(join(folder, 'key2'), 'third')
  await until(() => now()?.headers['x-key'] === 'third')
  t.strictSame(told, ['second', 'third'])
  t.notMatch(JSON.stringify(lines), /first|second|third/)
})

t.test('what is being written is not told of before it is whole', async (t) => {
  const file = join(makeFolder(t), 'file')
  writeFileSync(file, '')
  let told = 0
  const watch = new FileWatch(
    () => [file],
    () => {
      told += 1
    },
  )
  t.teardown(() => watch.stop())
  watch.start()
  await until(() => told === 1)
  let written = 0
  await new Promise<void>((resolve) => {
    const writing = setInterval(() => {
      appendFileSync(file, 'x')
      written += 1
      if (written < WRITES) return
      clearInterval(writing)
      resolve()
    }, WRITE_MS)
  })
  t.equal(told, 1)
  await until(() => told > 1)
  t.equal(told, 2)
})
