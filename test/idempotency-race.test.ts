import { fileURLToPath } from 'node:url'
import { claimKey, createId, decodeClaim, type InstructionInput } from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { type Answered, Client } from './harness/client.js'
import { Control, type Shown } from './harness/control.js'
import { Fleet } from './harness/fleet.js'
import { type Installation, withStream } from './harness/installation.js'
import { PosthasteProcess, type Settings } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

// Many clients send one Idempotency-Key at the same moment to two accepters, which know of each other by the stream alone:
// it is one invocation, and one call.

const CLIENTS = 50
const ROUNDS = 3
const ACCEPTERS = ['accepter-1', 'accepter-2'] as const
const DRAIN = '?wait=30s'
/** What makes an accepter claim, and go no further. */
const HALTING = fileURLToPath(new URL('./harness/halting-accepter.js', import.meta.url))

t.setTimeout(580_000)

for (const backend of [embedded, nats, kafka]) {
  testOn(t, backend, `${CLIENTS} clients send one key at once to two accepters`, 90_000, sendAtOnce)
  testOn(t, backend, 'an accepter is killed between its claim and its instruction', 90_000, sendAfterClaim)
}

async function sendAtOnce(t: Test, backend: Backend): Promise<void> {
  const setting = await setUp(t, backend)
  const { fleet, target } = setting
  const ids: string[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const answers = await sendAll(t, setting, instructionOf(target, round), `key-${round}`)
    ids.push(checkAnswers(t, answers, 1))
  }
  await checkCalls(t, setting, ids)

  // The view of the next one may be as new as the process, and be told by the log alone.
  await fleet.crash(ACCEPTERS)
  await startAccepters(t, backend, fleet)
  for (const round of [0, 1]) {
    const answers = await sendAll(t, setting, instructionOf(target, round), `key-${round}`)
    t.equal(checkAnswers(t, answers, 0), ids[round], 'accepters that start later know the key')
  }
  const others = await sendAll(t, setting, { ...instructionOf(target, 0), correlationId: 'other' }, 'key-0')
  t.strictSame([...new Set(others.map(({ status }) => status))], [422], 'it stands for nothing else')
  await checkCalls(t, setting, ids)
}

async function sendAfterClaim(t: Test, backend: Backend): Promise<void> {
  const setting = await setUp(t, backend)
  const ids = await killAfterClaims(t, backend, setting)
  const sent = ids.map((_, round) => sendAll(t, setting, instructionOf(setting.target, round), `key-${round}`))
  for (const [round, answers] of (await Promise.all(sent)).entries()) {
    t.equal(checkAnswers(t, answers, 0), ids[round], 'who retries is told the id that was claimed')
  }
  await checkCalls(t, setting, ids)
}

/** Has an accepter claim the key of each round, and kills it before any call is on the stream. Returns the ids that it claimed. */
async function killAfterClaims(
  t: Test,
  backend: Backend,
  { client, installation, target }: Setting,
): Promise<string[]> {
  const settings = { ...installation.settings, ...ownView(t, backend) }
  const nodeArguments = ['--import', HALTING]
  const accepter = new PosthasteProcess({ role: 'accepter', settings, nodeArguments })
  t.teardown(() => accepter.kill())
  await accepter.ready()
  const control = new Control(client, accepter.url)
  const keys = Array.from({ length: ROUNDS }, (_, round) => `key-${round}`)
  const sent = keys.map((key, round) => control.accept(instructionOf(target, round), `"${key}"`))
  const answered = Promise.allSettled(sent)
  const ids = await claimedIds(installation, keys)
  accepter.kill('SIGKILL')
  const answers = await answered
  t.ok(
    answers.every(({ status }) => status === 'rejected'),
    'it is killed before it has answered anybody',
  )
  t.equal(target.arrivals.length, 0, 'nothing is called before somebody asks again')
  return ids
}

/** What was claimed under these keys, once all of them are. */
function claimedIds(installation: Installation, keys: readonly string[]): Promise<string[]> {
  return withStream(installation, async (stream) => {
    const ids = new Map<string, string>()
    for await (const { records } of stream.follow('claims', 'start')) {
      for (const { key, value } of records) ids.set(key, decodeClaim(value).id)
      if (keys.every((key) => ids.has(claimKey(key)))) break
    }
    return keys.map((key) => ids.get(claimKey(key)) as string)
  })
}

interface Setting {
  readonly installation: Installation
  readonly fleet: Fleet
  readonly client: Client
  readonly target: TargetServer
}

async function setUp(t: Test, backend: Backend): Promise<Setting> {
  const installation = backend.create(t)
  const target = await TargetServer.start()
  const client = new Client({ connections: CLIENTS * ROUNDS, timeoutMs: 30_000 })
  const fleet = new Fleet(installation)
  t.teardown(async () => {
    client.close()
    await fleet.stop()
    await target.stop()
  })
  await Promise.all([startAccepters(t, backend, fleet), fleet.start(['listener'])])
  return { installation, fleet, client, target }
}

async function startAccepters(t: Test, backend: Backend, fleet: Fleet): Promise<void> {
  await Promise.all(ACCEPTERS.map((name) => fleet.start([name], ownView(t, backend))))
}

/** Each has a view of its own, as on another machine, where the stream allows that. */
function ownView(t: Test, backend: Backend): Settings {
  return backend === embedded ? {} : { dataDir: temporaryDirectory(t) }
}

function instructionOf(target: TargetServer, round: number): InstructionInput {
  return { target: `${target.url}/${round}`, correlationId: `round-${round}`, body: { round } }
}

/** All clients at once, one accepter after the other. */
async function sendAll(t: Test, setting: Setting, instruction: InstructionInput, key: string): Promise<Answered[]> {
  const startedMs = performance.now()
  const doors = controlsOf(setting)
  const answers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) => (doors[index % 2] as Control).accept(instruction, `"${key}"`)),
  )
  t.comment(`${key}: ${answers.length} answers within ${Math.round(performance.now() - startedMs)} ms`)
  return answers
}

/** All are told one id, which is returned; `firsts` of them are told that they are no repeat. */
function checkAnswers(t: Test, answers: readonly Answered[], firsts: number): string {
  t.strictSame([...new Set(answers.map(({ status, text }) => (status === 202 ? 202 : text)))], [202], 'each gets 202')
  const ids = [...new Set(answers.map(({ json }) => (json as Shown).id))]
  t.equal(ids.length, 1, 'one id is answered')
  const first = answers.filter(({ headers }) => headers['idempotency-replayed'] !== 'true')
  t.equal(first.length, firsts, `${firsts} of them are told that theirs was the first`)
  return ids[0] as string
}

/** Each is called once, under the id that was answered, and nothing else is there. */
async function checkCalls(t: Test, setting: Setting, ids: readonly string[]): Promise<void> {
  const { client, fleet, target } = setting
  const { status, text } = await client.request(`${fleet.process('listener').url}/cycle${DRAIN}`, 'POST')
  t.equal(status, 200, `all is done that was on the stream: ${text.slice(0, 200)}`)
  t.strictSame(target.arrivals.map(({ id }) => id).sort(), [...ids].sort(), 'each is called once')
  const paths = new Map(target.arrivals.map(({ id, path }) => [id, path]))
  t.strictSame(
    ids.map((id) => paths.get(id)),
    ids.map((_, round) => `/${round}`),
    'as it was asked for',
  )
  for (const control of controlsOf(setting)) {
    const unknown = await control.get(createId(Date.now()))
    t.equal(unknown.status, 404, 'its view is up to date')
    const shown = await control.listAll()
    t.strictSame(shown.map(({ id }) => id).sort(), [...ids].sort(), 'it shows these and no others')
  }
}

function controlsOf({ client, fleet }: Setting): Control[] {
  return ACCEPTERS.map((name) => new Control(client, fleet.process(name).url))
}
