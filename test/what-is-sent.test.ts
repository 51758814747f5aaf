import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '@posthaste/server'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { createEmbedded } from './harness/embedded-installation.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

const MAIN = fileURLToPath(new URL('../../packages/cli/dist/src/main.js', import.meta.url))
/** Where the receiver of the documentation is. */
const EXAMPLE_URL = 'http://127.0.0.1:3000'
const DOCUMENT = readFileSync(fileURLToPath(new URL('../../docs/security.md', import.meta.url)), 'utf8')
const section = DOCUMENT.slice(DOCUMENT.indexOf('## What is sent')).split(/\n## (?!What is sent)/, 1)[0] ?? ''

/** The examples of the section in a language. */
function examples(language: string): string[] {
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, given, body = '']) =>
    given === language ? [body] : [],
  )
}

interface Sent {
  readonly headers: Record<string, string>
  readonly body: string
}

// One process for all: it signs for the receiver of the documentation, as its example says, and for a target.
const secret = `whsec_${randomBytes(32).toString('base64')}`
const sent = new Map<string, Sent>()
const target = await TargetServer.start(({ body, path }, { headers }) => {
  sent.set(path, { headers: headers as Sent['headers'], body })
  return { status: path === '/bad' ? 400 : 200, body: 'answer' }
})
t.teardown(() => target.stop())
const [makeSecret = '', callReceiver = ''] = examples('sh')
process.env.HOOK_SECRET = execFileSync('sh', ['-c', `${makeSecret}\nprintf %s "$HOOK_SECRET"`]).toString()
const receiver = await startReceiver(examples('js')[0] ?? '')
const posthaste = await startPosthaste()
t.teardown(() => posthaste.stop())

t.test('all that is sent to a target with a secret is signed', async (t) => {
  const told = { forwardTo: `${target.url}/forward`, onSuccess: `${target.url}/success` }
  await post('/invocations', { target: `${target.url}/good`, body: { ä: 1 }, ...told })
  await post('/invocations', { target: `${target.url}/bad`, onFailure: `${target.url}/failure` })
  await post('/schedules', { every: '1s', instruction: { target: `${target.url}/schedule` } })
  const paths = ['/bad', '/failure', '/forward', '/good', '/schedule', '/success']
  await target.until(() => sent.size === paths.length, 30_000)
  t.strictSame([...sent.keys()].sort(), paths)
  for (const [path, { body, headers }] of sent)
    t.doesNotThrow(() => new Webhook(secret).verify(body, headers, { jsonParse: false }), path)
  t.notMatch(JSON.stringify(posthaste.lines), secret.slice(6), 'and the secret is not logged')
})

/** Instructions that would have something sent that is not theirs to say. */
const FORGED: Record<string, unknown>[] = [
  ...[
    'host',
    'Content-Length',
    'connection',
    'transfer-encoding',
    'te',
    'upgrade',
    'Content_Length',
    'Posthaste-Id',
  ].map((name) => ({ headers: { [name]: '0' } })),
  ...['1\r\nx-evil: 1', '1\nx-evil: 1', '1\u010d\u010ax-evil: 1'].flatMap((evil) => [
    { headers: { 'x-a': evil } },
    { headers: { [evil]: '1' } },
    { headers: { 'content-type': evil } },
    { correlationId: evil },
    { method: `GET${evil}` },
  ]),
]

t.test('what nobody may say is refused at the door, in an instruction, a batch and a schedule', async (t) => {
  for (const forged of FORGED) {
    const instruction = { target: `${target.url}/forged`, ...forged }
    const what = JSON.stringify(forged)
    t.match(await post('/invocations', instruction), { status: 400 }, what)
    t.match(await post('/schedules', { every: '1s', instruction }), { status: 400 }, what)
    const batch = await post('/invocations/batch', { invocations: [instruction] })
    t.match(JSON.parse(batch.text), { results: [{ status: 400 }] }, what)
  }
  await target.heardAll()
  t.notOk(sent.has('/forged'))
})

t.test('what a target answers does not split the answer that shows it', async (t) => {
  const types = [
    'text/html\rx-evil: 1',
    'text/html\nx-evil: 1',
    'text/html\r\n x-evil: 1',
    'text/html\0x-evil: 1',
    'a/b\x85x-evil: 1',
  ]
  const unscrupulous = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      const type = types[Number(/^POST \/(\d)/.exec(`${data}`)?.[1])]
      socket.end(Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: 2\r\n\r\nhi`, 'latin1'))
    })
  })
  await once(unscrupulous.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => unscrupulous.close())
  const url = `http://127.0.0.1:${(unscrupulous.address() as AddressInfo).port}`
  for (const [index, type] of types.entries()) {
    const { id } = JSON.parse(
      (await post('/invocations', { target: `${url}/${index}`, retry: { maxAttempts: 1 } })).text,
    )
    await ended(id)
    const shown = await rawGet(posthaste.url, `/invocations/${id}/response`)
    t.match(shown, /^HTTP\/1\.1 (200|404) /, JSON.stringify(type))
    const lines = shown.slice(0, shown.indexOf('\r\n\r\n')).split('\r\n')
    t.notOk(
      lines.some((line) => /^x-evil/i.test(line) || /[\r\n\0]/.test(line)),
      JSON.stringify(type),
    )
  }
})

t.test('the targets file of the documentation can be read', async (t) => {
  const { CERTIFICATE, KEY } = await certificate()
  const folder = temporaryDirectory(t)
  const [first = '', ...more] = examples('json')
  t.equal(more.length, 1)
  for (const name of ['tls', 'secrets']) mkdirSync(join(folder, name))
  for (const [name, content] of Object.entries({
    'tls/ca.pem': CERTIFICATE,
    'tls/client.pem': CERTIFICATE,
    'tls/client.key': KEY,
    'secrets/team-a-old': secret,
    'targets.json': first,
  }))
    writeFileSync(join(folder, name), content)
  const { targets } = loadConfig({
    environment: { POSTHASTE_TARGETS: join(folder, 'targets.json'), TEAM_A_SECRET: secret },
  })
  t.match(targets, [
    { sign: [{}, {}], redact: ['/card/number', '/password'] },
    { tls: { cert: CERTIFICATE.trim(), minVersion: 'TLSv1.3' } },
  ])
})

t.test('the receiver of the documentation answers what Posthaste sends, and nothing else', async (t) => {
  const [start = '', call = ''] = callReceiver.trim().split('\n')
  t.equal(start, 'POSTHASTE_TARGETS=targets.json posthaste start &')
  const command = `posthaste() { "${process.execPath}" "${MAIN}" "$@"; }\n${call.replace(EXAMPLE_URL, receiver)}`
  const env = { ...process.env, POSTHASTE_URL: posthaste.url }
  const shell = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.match(await text(shell.stdout), /succeeded/)
  const { id } = JSON.parse((await post('/invocations', { target: receiver, body: { order: 43 } })).text)
  await ended(id)
  t.equal(await (await fetch(`${posthaste.url}/invocations/${id}/response`)).text(), 'thank you for 43')
  const [timestamp, signature] = [`${Math.floor(Date.now() / 1000)}`, 'v1,AAAA']
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
  t.equal((await fetch(receiver, { method: 'POST', body: '{"order":43}', headers })).status, 401)
})

/** Runs the example, on a free port, where it finds the library. */
async function startReceiver(code: string): Promise<string> {
  const file = fileURLToPath(new URL(`./receiver-${process.pid}.mjs`, import.meta.url))
  const telling = ".listen(0, '127.0.0.1', function () { console.log(this.address().port) })"
  writeFileSync(file, code.replace('.listen(3000)', telling))
  t.teardown(() => rmSync(file))
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  const [port] = await once(createInterface({ input: child.stdout }), 'line')
  return `http://127.0.0.1:${port}`
}

function startPosthaste(): Promise<PosthasteProcess> {
  const targets = join(temporaryDirectory(t), 'targets.json')
  const file = JSON.parse(examples('json')[1]?.replace(EXAMPLE_URL, receiver) ?? '')
  file.targets.push({ match: `${target.url}/*`, sign: { secrets: [secret] } })
  writeFileSync(targets, JSON.stringify(file))
  const { dataDir } = createEmbedded(t)
  return PosthasteProcess.start({ role: 'start', dataDir, settings: { targets } })
}

async function post(path: string, body: unknown): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(posthaste.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, text: await response.text() }
}

/** Resolves once an invocation has ended. */
async function ended(id: string): Promise<void> {
  await (await fetch(`${posthaste.url}/invocations/${id}?wait=20s`)).text()
}

async function rawGet(url: string, path: string): Promise<string> {
  const { host, hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  socket.end(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  return text(socket)
}

/** Of the tests of another package: nobody vouches for it. */
async function certificate(): Promise<{ CERTIFICATE: string; KEY: string }> {
  return import(new URL('../../packages/listener/dist/test/certificate.js', import.meta.url).href)
}
