import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Answered, Client } from './harness/client.js'
import { type Launcher, missingFor, type OwnBroker, ownKafka, ownNats } from './harness/own-brokers.js'
import { PosthasteProcess, type Settings } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

// A broker that is not there yet, is there no more, or does not want us.

/** However long a broker is away, a client is told soon. */
const ANSWER_MS_MAX = 5_000
const BACK_MS_MAX = 60_000
const LOOK_MS = 50
const POSTS = 20

t.setTimeout(580_000)
// They wait most of the time.
t.jobs = 2

for (const launcher of [ownNats, ownKafka]) {
  t.test(launcher.name, { timeout: 280_000, skip: missingFor(t, launcher), buffered: true }, async (t) => {
    const own = await launcher.start(t)
    await t.test('a broker that is away at the start, and later', (t) => awayAndBack(t, own))
    await t.test('a broker that is silent', (t) => silent(t, own))
    await t.test('a broker that refuses the credentials', (t) => refused(t, own, launcher))
  })
}

async function awayAndBack(t: Test, { broker, install }: OwnBroker): Promise<void> {
  const { client, settings, target } = await setUp(t, install().settings)
  await broker.kill()
  const posthaste = new PosthasteProcess({ role: 'start', settings })
  t.teardown(() => posthaste.stop())
  const url = await posthaste.listening()
  await checkAway(t, client, url, 'away at the start')
  checkLines(t, posthaste, { 'the stream is away; trying again': 1, 'requests are refused': 1 })

  await broker.restart()
  await posthaste.ready(BACK_MS_MAX)
  t.pass('it becomes ready without a restart')
  await checkWork(t, client, url, target)
  await printed(posthaste, 'requests are taken again')

  await broker.kill()
  await sleep(LOOK_MS)
  await checkAway(t, client, url, 'away later')
  t.equal(posthaste.exit, undefined, 'it goes on')
  checkLines(t, posthaste, {
    'the stream is away; trying again': 1,
    'the stream is there': 1,
    'requests are refused': 2,
    'requests are taken again': 1,
  })
  await broker.restart()
  await posthaste.ready(BACK_MS_MAX)
  await checkWork(t, client, url, target)
  await posthaste.stop()
  t.match(posthaste.exit, { code: 0 })
}

/** Connections stay and nothing comes back: it takes a while until that is noticed, and then clients are told soon. */
async function silent(t: Test, { broker, install }: OwnBroker): Promise<void> {
  const { client, settings, target } = await setUp(t, install().settings)
  const posthaste = await PosthasteProcess.start({ role: 'start', settings })
  t.teardown(() => posthaste.stop())
  await checkWork(t, client, posthaste.url, target)
  broker.pause()
  t.teardown(() => broker.resume())
  const startedMs = performance.now()
  const first = await client.post(posthaste.url, { target: `${target.url}/silent` })
  checkRefusal(t, first, 'silent at first')
  t.comment(`the first POST was answered after ${Math.round(performance.now() - startedMs)} ms`)
  await checkAway(t, client, posthaste.url, 'silent')
  broker.resume()
  await posthaste.ready(BACK_MS_MAX)
  await checkWork(t, client, posthaste.url, target)
}

async function refused(t: Test, { install, locked }: OwnBroker, { name }: Launcher): Promise<void> {
  const settings = { ...install().settings, ...locked.wrong }
  const posthaste = new PosthasteProcess({ role: 'start', settings })
  t.teardown(() => posthaste.kill())
  const { code } = await Promise.race([posthaste.exited, sleep(BACK_MS_MAX, { code: null }, { ref: false })])
  t.ok(typeof code === 'number' && code > 0, `it exits with ${code}`)
  const printed = posthaste.lines.map((line) => JSON.stringify(line)).join('\n')
  t.match(printed, /auth|credential|password|denied/i, `it says why: ${name} refuses it`)
  t.notMatch(printed, /not-the-password/, 'and does not print the password')

  const right = await PosthasteProcess.start({ role: 'start', settings: { ...settings, ...locked.right } })
  t.pass('with the right ones it starts')
  await right.stop()
}

async function setUp(t: Test, settings: Settings) {
  const target = await TargetServer.start()
  t.teardown(() => target.stop())
  const client = new Client({ timeoutMs: 20_000 })
  t.teardown(() => client.close())
  return { client, settings, target }
}

/** Several in a row and at once: the first may be the one that finds out. */
async function checkAway(t: Test, client: Client, url: string, when: string): Promise<void> {
  const ready = await client.request(`${url}/readyz`)
  t.equal(ready.status, 503, `${when}: it is not ready`)
  t.match(ready.json, { code: 'not-ready', reasons: [/NATS|Kafka|connect/i] }, 'and says why')
  t.equal((await client.request(`${url}/livez`)).status, 200, 'but alive')
  for (let round = 0; round < 2; round += 1) {
    const startedMs = performance.now()
    const posts = Array.from({ length: POSTS }, () => client.post(url, { target: 'http://127.0.0.1:9000/' }))
    for (const answered of await Promise.all(posts)) checkRefusal(t, answered, when)
    const tookMs = Math.round(performance.now() - startedMs)
    t.ok(tookMs <= ANSWER_MS_MAX, `${POSTS} POSTs are answered within ${tookMs} ms`)
  }
}

/** How often each is printed: once for an outage, however much it hits. */
function checkLines(t: Test, { lines }: PosthasteProcess, counts: Readonly<Record<string, number>>): void {
  for (const [msg, count] of Object.entries(counts))
    t.equal(lines.filter((line) => line.msg === msg).length, count, msg)
}

async function printed({ lines }: PosthasteProcess, msg: string): Promise<void> {
  for (const untilMs = performance.now() + BACK_MS_MAX; performance.now() < untilMs; await sleep(LOOK_MS))
    if (lines.some((line) => line.msg === msg)) return
  throw new Error(`It does not say: ${msg}`)
}

function checkRefusal(t: Test, { headers, json, status }: Answered, when: string): void {
  if (status === 503 && Number(headers['retry-after']) > 0) return
  t.fail(`${when}: a POST is answered ${status} with retry-after ${headers['retry-after']}: ${JSON.stringify(json)}`)
}

async function checkWork(t: Test, client: Client, url: string, target: TargetServer): Promise<void> {
  const id = await client.accept(url, { target: `${target.url}/at-once` })
  const later = await client.accept(url, { target: `${target.url}/later`, delay: '500ms' })
  await target.until(() => target.of(id).length > 0 && target.of(later).length > 0, BACK_MS_MAX)
  t.equal(target.of(id).length, 1, 'what is accepted is called')
  t.equal(target.of(later).length, 1, 'what is deferred is called')
}
