import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PosthasteError } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Config, loadConfig, maskConfig } from '../src/index.js'

const MARK = 'aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=='
const SECRET = `whsec_${MARK}`
const match = 'https://a.example'

/** Loads the configuration with this file, and says what is wrong, if anything. */
function load(t: Test, content: unknown, environment: Record<string, string> = {}): { config?: Config; fault: string } {
  const folder = folderFor(t)
  const path = join(folder, 'targets.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  mkdirSync(join(folder, 'secrets'))
  writeFileSync(join(folder, 'secrets', 'one'), `${SECRET}\n`)
  writeFileSync(join(folder, 'secrets', 'none'), '\n')
  try {
    return { config: loadConfig({ environment: { ...environment, POSTHASTE_TARGETS: path } }), fault: '' }
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    return { fault: error.message }
  }
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

t.test('a secret stands in the file, in a variable, or in a file beside it', async (t) => {
  const secrets = [SECRET, { env: 'HOOK' }, { file: 'secrets/one' }]
  const { config } = load(t, { targets: [{ match, sign: { secrets } }] }, { HOOK: SECRET })
  const bytes = Uint8Array.from(Buffer.from(MARK, 'base64'))
  const key = { scheme: 'hmac', bytes }
  t.strictSame(config?.targets[0]?.sign, [key, key, key])
  t.notMatch(JSON.stringify(maskConfig(config as Config)), /hunter2|whsec|104,117,110/)
})

t.test('what is wrong is said all together, and nothing that is secret', async (t) => {
  const secrets = [{ env: 'NOT_SET' }, { file: 'secrets/two' }, { file: 'secrets/none' }, `${SECRET}!`]
  const { fault } = load(
    t,
    {
      targets: [
        { match: 'x', sign: { secrets } },
        { match, tls: { key: { env: 'HOOK' } } },
      ],
    },
    { HOOK: MARK },
  )
  t.match(fault, /^POSTHASTE_TARGETS: the value is not valid: it is \/.*targets\.json, in which something is wrong: /)
  t.match(fault, '/targets/0/match: ')
  t.match(fault, '/targets/0/sign/secrets/0: NOT_SET is empty.')
  t.match(fault, '/targets/0/sign/secrets/1: secrets/two cannot be read: ENOENT.')
  t.match(fault, '/targets/0/sign/secrets/2: secrets/none is empty.')
  t.match(fault, '/targets/0/sign/secrets/3: This must be whsec_')
  t.match(fault, '/targets/1/tls: A cert needs its key')
  t.notMatch(fault, MARK.slice(0, 8))
})

t.test('a file that is not JSON is not shown', async (t) => {
  const { fault } = load(t, `{ "targets": [\n  { "match": ${SECRET} } ] }`)
  t.match(fault, 'cannot be read: it is not JSON')
  t.notMatch(fault, /whsec|aHVudG/)
})

t.test('without a file there is nothing to say', async (t) => {
  t.strictSame(loadConfig({ environment: {} }).targets, [])
  t.strictSame(loadConfig({ environment: { POSTHASTE_TARGETS: '' } }).targets, [])
})
