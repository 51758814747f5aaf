import {
  type Call,
  claimKey,
  createId,
  encodeCall,
  encodeClaim,
  type InstructionInput,
  parseInstruction,
  payloadHash,
} from '@posthaste/core'
import t, { type Test } from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { type Answered, Client } from './harness/client.js'
import { Control, type Shown } from './harness/control.js'
import { Fleet } from './harness/fleet.js'
import { type Installation, withStream } from './harness/installation.js'
import { TargetServer } from './harness/target-server.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

// Many clients send one Idempotency-Key at the same moment to two accepters, which know of each other by the stream alone:
// it is one invocation, and one call.

const CLIENTS = 50
const ROUNDS = 5
const ACCEPTERS = ['accepter-1', 'accepter-2'] as const
const DRAIN = '?wait=30s'

t.setTimeout(290_000)

for (const backend of [embedded, nats, kafka]) {
  testOn(t, backend, `${CLIENTS} clients send one key at once to two accepters`, 90_000, sendAtOnce)
  testOn(t, backend, 'an accepter dies between its claim and its instruction', 90_000, sendAfterClaim)
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
  const { installation, target } = setting
  const ids: string[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const instruction = instructionOf(target, round)
    ids.push(await claim(installation, instruction, `key-${round}`))
    const answers = await sendAll(t, setting, instruction, `key-${round}`)
    t.equal(checkAnswers(t, answers, 0), ids[round], 'who retries is told the id that was claimed')
  }
  await checkCalls(t, setting, ids)
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
  const client = new Client({ connections: CLIENTS, timeoutMs: 30_000 })
  const fleet = new Fleet(installation)
  t.teardown(async () => {
    client.close()
    await fleet.stop()
    await target.stop()
  })
  await startAccepters(t, backend, fleet)
  await fleet.start(['listener'])
  return { installation, fleet, client, target }
}

/** Each has a view of its own, as on another machine, where the stream allows that. */
async function startAccepters(t: Test, backend: Backend, fleet: Fleet): Promise<void> {
  await Promise.all(
    ACCEPTERS.map((name) => fleet.start([name], backend === embedded ? {} : { dataDir: temporaryDirectory(t) })),
  )
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

/** Leaves what an accepter leaves that dies when it has made its claim. Returns the id that it claimed. */
async function claim(installation: Installation, instruction: InstructionInput, key: string): Promise<string> {
  const nowMs = Date.now()
  const id = createId(nowMs)
  const call: Call = {
    ...parseInstruction(instruction, nowMs),
    id,
    generation: 1,
    attempt: 1,
    acceptedAtMs: nowMs,
    depth: 0,
  }
  const value = encodeClaim({ id, payload: payloadHash(instruction), record: encodeCall(call) })
  await withStream(installation, (stream) => stream.append('claims', [{ key: claimKey(key), value }]))
  return id
}
