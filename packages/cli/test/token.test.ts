import { chownSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashToken } from '@posthaste/core'
import t from 'tap'
import { makeDirectory, run, start, startTarget, until } from './posthaste.js'

t.test('a token is made, and its entry', async (t) => {
  const flags = [
    '--scopes',
    'invoke,read',
    '--tenant',
    'a',
    '--targets',
    'https://*.a.com',
    '--functions',
    'resize,img-*',
    '--requests-per-second',
    '5',
  ]
  const { code, stdout } = await run(['token', 'create', '--name', 'shop', ...flags, '--burst', '9', '--open-max', '7'])
  t.equal(code, 0)
  const { entry, token } = JSON.parse(stdout)
  t.match(token, /^pht_[\w-]{43}$/)
  t.strictSame(entry, {
    name: 'shop',
    sha256: hashToken(token).toString('hex'),
    scopes: ['invoke', 'read'],
    tenant: 'a',
    targets: ['https://*.a.com'],
    functions: ['resize', 'img-*'],
    requestsPerSecond: 5,
    burst: 9,
    openMax: 7,
  })
  const withKey = await run(['token', 'create', '--name', 'shop', '--access-key'])
  const { accessKey, entry: other } = JSON.parse(withKey.stdout)
  t.match(accessKey, { id: /^PHAK[0-9A-F]{16}$/, secret: /^[\w-]{40}$/ })
  t.strictSame(other.accessKeys, [accessKey])
  const words = await run(['token', 'create', '--name', 'shop', '--no-json'])
  t.match(words.stdout, /^pht_[\w-]{43}\n\nThis token is shown this once\. Its entry, .*"scopes": \[\n {4}"invoke",/s)
})

t.test('one that is not valid is not made', async (t) => {
  const file = join(makeDirectory(t), 'tokens.json')
  for (const flags of [
    ['--name', 'a b'],
    ['--name', 'a', '--scopes', 'admin'],
    ['--name', 'a', '--targets', 'a.com'],
    ['--name', 'a', '--functions', '*-img'],
    [],
  ]) {
    const { code, stderr, stdout } = await run(['token', 'create', '--file', file, ...flags])
    t.strictSame([code, stdout], [2, ''], stderr)
  }
  t.equal(statSync(file, { throwIfNoEntry: false }), undefined)
})

t.test('a file that is added to stays whose it was, and where it was', async (t) => {
  const directory = makeDirectory(t)
  const [file, link] = [join(directory, 'real.json'), join(directory, 'tokens.json')]
  writeFileSync(file, '{"tokens":[]}', { mode: 0o640 })
  // Only root can give it away.
  const owner = process.getuid?.() === 0 ? 1_234 : (process.getuid?.() as number)
  chownSync(file, owner, -1)
  symlinkSync('real.json', link)
  t.equal((await run(['token', 'create', '--name', 'a', '--file', link])).code, 0)
  const { mode, uid } = statSync(file)
  t.strictSame([mode & 0o777, uid], [0o640, owner])
  t.match(JSON.parse(readFileSync(file, 'utf8')), { tokens: [{ name: 'a' }] })
  t.ok(lstatSync(link).isSymbolicLink())
  t.strictSame(readdirSync(directory), ['real.json', 'tokens.json'])
})

t.test('from the first token to a call that it has made', async (t) => {
  const target = await startTarget(t, (response) => void response.end('done'))
  const file = join(makeDirectory(t), 'tokens.json')
  const make = async (...flags: string[]) => {
    const { code, stdout } = await run(['token', 'create', '--file', file, ...flags])
    return { code, token: code === 0 ? (JSON.parse(stdout).token as string) : '' }
  }
  const { token: operator } = await make('--name', 'operator', '--scopes', 'operate')
  const { token } = await make('--name', 'shop')
  t.equal((await make('--name', 'shop')).code, 2, 'a name is given once')
  t.equal(JSON.parse(readFileSync(file, 'utf8')).tokens.length, 2)
  t.equal(statSync(file).mode & 0o777, 0o600)

  const dataDir = makeDirectory(t)
  const { url } = await start(t, 'start', { dataDir, args: ['--tokens', file, '--allow-addresses', '127.0.0.0/8'] })
  const ask = (args: string[], environment: Record<string, string> = {}) => run([...args, '--url', url], environment)
  const call = ['call', target.url, '--wait']
  const refused = await ask(call)
  t.match(refused, { code: 2, stderr: /unauthenticated.*POSTHASTE_TOKEN/ })
  t.match(await ask(call, { POSTHASTE_TOKEN: operator }), { code: 2, stderr: /This needs the scope "invoke"/ })
  const called = await ask(call, { POSTHASTE_TOKEN: token })
  t.match([called.stderr, called.stdout], ['', /"state":"succeeded"/])
  t.equal((await ask(['list', '--token', token])).code, 0)
  t.equal((await ask(['list'], { POSTHASTE_TOKEN: '' })).code, 2)
  const broken = await ask(['list'], { POSTHASTE_TOKEN: 'no\ntoken' })
  t.match(broken, { code: 2, stderr: /POSTHASTE_TOKEN: this is neither/ })
  t.notMatch(broken.stderr, 'no\ntoken')

  const cycle = (environment: Record<string, string>) => run(['cycle', '--data-dir', dataDir], environment)
  t.match(await cycle({}), { code: 1, stderr: /POSTHASTE_TOKEN that may operate/ })
  t.equal((await cycle({ POSTHASTE_TOKEN: operator })).code, 0)
})

t.test('the world is let in only by who says so', async (t) => {
  const own = ['--port', '0', '--data-dir', makeDirectory(t), '--disk-reserve', '0']
  const refused = await run(['start', '--host', '0.0.0.0', ...own])
  t.match(refused, { code: 1, stdout: '', stderr: /^POSTHASTE_HOST is 0\.0\.0\.0.*--insecure/ })
  const { logged } = await start(t, 'start', { args: ['--host', '0.0.0.0', '--insecure'] })
  await until(() => logged().some(({ url }) => url !== undefined))
  t.match(logged()[0], { level: 'warn', msg: /insecure/ })
})
