import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createToken, hashToken } from '@posthaste/core'
import t, { type Test } from 'tap'
import { createLogger, loadConfig, maskConfig, runCycle, Server, type SettingKey } from '../src/index.js'

type Flags = Partial<Record<SettingKey, string>>

const PING_SECRET = 'a-secret-of-pings-0123'
const EVERYTHING = ['invoke', 'read', 'control', 'operate']

t.test('who listens to the world must say who may ask', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com'])
    t.throws(() => server(t, { host }), { code: 'invalid-configuration', message: /--insecure/ }, host)
  const admin = { adminPort: '0', adminHost: '0.0.0.0' }
  t.throws(() => server(t, admin), { message: /POSTHASTE_ADMIN_HOST is 0\.0\.0\.0.*posthaste token create/s })
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) await server(t, { host }).server.stop()
  const { file } = tokenFile(t, createToken())
  await server(t, { host: '0.0.0.0', tokens: file, ...admin }).server.stop()
  const { lines, server: insecure } = server(t, { host: '0.0.0.0', insecure: 'true' })
  await insecure.stop()
  t.match(lines(), [{ level: 'warn', host: '0.0.0.0', msg: /insecure/ }])
})

t.test('what is not enough to know callers by stops the start', async (t) => {
  const [keys, noKeys] = [write(t, '{"keys":[{"kty":"oct"}]}'), write(t, '{"keys":[]}')]
  const jwt = { jwtIssuer: 'https://issuer', jwtAudience: 'us', jwtJwks: keys }
  const faulty: readonly (readonly [Flags, RegExp])[] = [
    [{ pingSecret: PING_SECRET }, /POSTHASTE_PING_SECRET/],
    [{ jwtIssuer: 'https://issuer' }, /^POSTHASTE_JWT_AUDIENCE and POSTHASTE_JWT_JWKS: needed/],
    [{ ...jwt, jwtJwks: '/no/such/file' }, /POSTHASTE_JWT_JWKS: .*ENOENT/],
    [{ ...jwt, jwtJwks: noKeys }, /has no list of keys/],
    [{ ...jwt, jwtJwks: write(t, '{"keys":[[]]}') }, /has no list of keys/],
    [{ ...jwt, jwtJwks: 'http://issuer.example.com/jwks' }, /must be an https one/],
    [{ ...jwt, jwtJwks: 'https://' }, /must be an https one/],
    [{ ...jwt, jwtJwks: 'https://us:secret@issuer.example.com/jwks' }, /^(?!.*secret).*without user and password/],
  ]
  for (const [flags, message] of faulty)
    t.throws(() => server(t, flags), { code: 'invalid-configuration', message }, JSON.stringify(flags))
  for (const jwtJwks of [keys, 'https://issuer.example.com/jwks', 'http://127.0.0.1:1/jwks', 'http://[::1]:1/jwks'])
    await server(t, { ...jwt, jwtJwks }).server.stop()
})

t.test('with a token from accepting to the answer, until it is taken away', async (t) => {
  const target = await startTarget(t)
  const [first, second] = [createToken(), createToken()]
  const { file, set } = tokenFile(t, first)
  const { lines, server: running } = server(t, { tokens: file })
  const url = await running.start()
  t.equal((await post(url, target.url)).status, 401)
  const accepted = await post(url, target.url, first)
  t.equal(accepted.status, 202)
  const { id } = (await accepted.json()) as { id: string }
  const path = `${url}/invocations/${id}`
  const shown = await fetch(`${path}?wait=20s`, { headers: bearer(first) })
  t.match(await shown.json(), { state: 'succeeded' })
  t.equal((await fetch(path)).status, 401)
  t.equal(target.paths.length, 1)
  t.notMatch(JSON.stringify(target.headers), first, 'the target does not see it')

  set(`{"tokens": [{"name": "${first}"`)
  await until(() => lines().some(({ level }) => level === 'error'))
  t.equal((await fetch(path, { headers: bearer(first) })).status, 200, 'a broken file takes nothing away')
  set(JSON.stringify({ tokens: [{ ...entryOf(second), scopes: ['read'] }] }))
  await until(async () => (await fetch(path, { headers: bearer(second) })).status === 200)
  t.equal((await fetch(path, { headers: bearer(first) })).status, 401)
  t.equal((await post(url, target.url, second)).status, 403)
  await running.stop()
  t.notMatch(JSON.stringify(lines()), new RegExp(`${first}|${second}`), 'no log line shows it')
})

t.test('a token that is taken away while the process starts is no way in', async (t) => {
  const [first, second] = [createToken(), createToken()]
  const { file, set } = tokenFile(t, first)
  const { server: running } = server(t, { tokens: file })
  set(JSON.stringify({ tokens: [entryOf(second)] }))
  const url = await running.start()
  const status = async (token: string) => (await fetch(`${url}/stats`, { headers: bearer(token) })).status
  await until(async () => (await status(second)) === 200)
  t.equal(await status(first), 401)
})

t.test('what the settings say holds for whom nothing else is said', async (t) => {
  const token = createToken()
  const flags = { tokens: tokenFile(t, token).file, openMax: '1', requestsPerSecond: '1000', adminPort: '0' }
  const { adminUrl, server: running } = server(t, flags)
  const url = await running.start()
  const first = await post(url, 'https://example.com', token, { delay: '1h' })
  t.strictSame([first.status, first.headers.get('ratelimit-policy')], [202, '"requests";q=1000;w=1'])
  const second = await post(url, 'https://example.com', token)
  t.match(await second.json(), { code: 'too-many-open' })
  const metrics = await (await fetch(`${adminUrl()}/metrics`)).text()
  t.match(metrics, /^posthaste_refused_total\{code="too-many-open"\} 1$/m)
})

t.test('operators are served apart', async (t) => {
  const token = createToken()
  const { adminUrl, server: running } = server(t, { tokens: tokenFile(t, token).file, adminPort: '0' })
  const url = await running.start()
  const admin = adminUrl()
  const status = async (at: string, init?: RequestInit) => (await fetch(at, init)).status
  for (const path of ['/metrics', '/stats', '/cycle?wait=5s']) {
    t.equal(await status(url + path, { headers: bearer(token) }), 404, path)
    t.equal(await status(admin + path), 200, `${path} apart, without a token`)
  }
  t.equal(await status(`${admin}/invocations`, { headers: bearer(token) }), 404)
  t.equal(await status(`${url}/invocations`, { headers: bearer(token) }), 200)
  t.match(await (await fetch(`${admin}/readyz`)).json(), { reasons: [] })
  const { partitions } = (await (await fetch(`${admin}/cycle`)).json()) as { partitions: object[] }
  t.match(partitions, [{ owner: 'this', member: admin }], 'a ping goes there')
  await running.stop()
  await t.rejects(fetch(`${admin}/livez`))

  const flags = { tokens: tokenFile(t, token).file, adminPort: '0', adminHost: '0.0.0.0' }
  const exposed = server(t, flags)
  await exposed.server.start()
  t.equal(await status(`${exposed.adminUrl()}/metrics`), 401, 'beyond the machine a token is needed there too')
  t.equal(await status(`${exposed.adminUrl()}/metrics`, { headers: bearer(token) }), 200)
})

t.test('a cycle beside a listener that lets in whom it knows', async (t) => {
  const token = createToken()
  const { file } = tokenFile(t, token)
  const { config, server: running } = server(t, { tokens: file, pingSecret: PING_SECRET })
  const url = await running.start()
  const cycle = (pingSecret: string, shown?: string) =>
    runCycle({ ...config, pingSecret }, quiet, new AbortController().signal, shown)
  // Before, the command finds nobody, and makes the cycle itself.
  await until(async () => {
    const pinged = await fetch(`${url}/cycle?wait=5s&key=${PING_SECRET}`)
    const { partitions } = (await pinged.json()) as { partitions: readonly { owner: string }[] }
    return partitions[0]?.owner === 'this'
  })
  t.match(await cycle(PING_SECRET), { drained: true })
  t.match(await cycle('', token), { drained: true })
  for (const [secret, shown] of [[''], [''.padEnd(16, 'x')], ['', createToken()]] as const)
    await t.rejects(cycle(secret as string, shown), { code: 'forbidden', message: /POSTHASTE_PING_SECRET/ })
  t.equal((await fetch(`${url}/cycle?key=${PING_SECRET}`)).status, 200)
  t.equal((await fetch(`${url}/metrics?key=${PING_SECRET}`)).status, 401)
})

t.test('neither hashes nor the secret are shown', async (t) => {
  const flags = { tokens: tokenFile(t, createToken()).file, pingSecret: PING_SECRET }
  const { pingSecret, tokens } = maskConfig(loadConfig({ environment: {}, flags }))
  t.strictSame([pingSecret, tokens], ['***', '***'])
})

const quiet = createLogger({ logLevel: 'silent' })

function server(t: Test, flags: Flags) {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  const own = { port: '0', diskReserve: '0', stopGrace: '1s', allowAddresses: '127.0.0.0/8', dataDir }
  const config = loadConfig({ environment: {}, flags: { ...own, ...flags } })
  let text = ''
  const sink = new Writable({
    write(chunk, _, done) {
      text += chunk
      done()
    },
  })
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const made = new Server(config, 'all', createLogger({ logLevel: 'info' }, sink))
  t.teardown(() => made.stop())
  const lines = (): Record<string, unknown>[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const adminUrl = (): string => String(lines().find(({ msg }) => msg === 'operators are served apart')?.url)
  return { config, server: made, lines, adminUrl }
}

function entryOf(token: string) {
  return { name: 'somebody', sha256: hashToken(token).toString('hex'), scopes: EVERYTHING }
}

function tokenFile(t: Test, token: string) {
  const version = write(t, JSON.stringify({ tokens: [entryOf(token)] }))
  const file = `${version}.link`
  symlinkSync(version, file)
  // As orchestrators change what they mount.
  const set = (text: string): void => {
    symlinkSync(write(t, text), `${file}.next`)
    renameSync(`${file}.next`, file)
  }
  return { file, set }
}

function write(t: Test, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'file.json')
  writeFileSync(file, text)
  return file
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}

function post(url: string, target: string, token?: string, more: object = {}): Promise<Response> {
  return fetch(`${url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && bearer(token)) },
    body: JSON.stringify({ target, ...more }),
  })
}

async function startTarget(t: Test) {
  const seen = { paths: [] as string[], headers: [] as object[] }
  const target = createServer((request, response) => {
    seen.paths.push(request.url ?? '')
    seen.headers.push(request.headers)
    response.end('done')
  })
  await once(target.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    target.closeAllConnections()
    await new Promise((resolve) => target.close(resolve))
  })
  return { ...seen, url: `http://127.0.0.1:${(target.address() as AddressInfo).port}/` }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > 30_000) throw new Error(`still not so: ${condition}`)
    await sleep(50)
  }
}
