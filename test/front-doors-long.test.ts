import type { IncomingHttpHeaders } from 'node:http'
import { env } from 'node:process'
import t from 'tap'
import { Client } from './harness/client.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { type LaterDoor, laterDoors, laterFunctions } from './harness/later-doors.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

// Behind each door a function that takes long is accepted at once, called once, and its result told once. It takes 3 s;
// with POSTHASTE_TEST_LONG=1 a minute. How soon it is accepted is for `npm run bench -- doors`.

const isFull = env.POSTHASTE_TEST_LONG === '1'
const CALL_MS = isFull ? 60_000 : 3_000
const SLACK_MS = 60_000
/** A timer may fire that much early. */
const EARLY_S = 0.01
const SECONDS = /^\d+\.\d{6}$/

t.setTimeout(CALL_MS + 3 * SLACK_MS)

interface Told {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const fn = await FunctionProcess.start(t)
const told = new Map<string, Told[]>()
const receiver = await TargetServer.start(({ body, path }, { headers }) => {
  told.set(path, [...(told.get(path) ?? []), { headers, body }])
  return {}
})
t.teardown(() => receiver.stop())
const doors = laterDoors(receiver.url)
const { path: functions } = new FunctionsFile(t, laterFunctions(doors, `${fn.url}/wait/${CALL_MS}`, CALL_MS + SLACK_MS))
const posthaste = await PosthasteProcess.start({
  role: 'start',
  dataDir: createEmbedded(t).dataDir,
  settings: { functions },
})
t.teardown(() => posthaste.stop())
const client = new Client({ timeoutMs: CALL_MS + SLACK_MS })
t.teardown(() => client.close())

/** What is sent is JSON: Lambda takes nothing else. */
const bodyOf = ({ name }: LaterDoor): string => JSON.stringify({ by: name })

async function ask(door: LaterDoor) {
  const startedMs = performance.now()
  const answer = await client.request(posthaste.url + door.path, 'POST', bodyOf(door), door.headers)
  const tookMs = performance.now() - startedMs
  t.comment(`${door.name}: ${answer.status} after ${tookMs.toFixed(1)} ms`)
  const id = String(answer.headers[door.idHeader]).replace('/invocations/', '')
  return { door, status: answer.status, tookMs, id }
}

/** What each door tells, besides what every one does. */
const tells: Record<string, (id: string) => Record<string, unknown>> = {
  openfaas: (id) => ({
    ...{ 'x-call-id': id, 'x-function-name': 'openfaas', 'x-function-status': '200', 'x-from': 'function' },
    ...{ 'x-start-time': /^\d{19}$/, 'x-duration-seconds': SECONDS },
  }),
  boltic: (id) => ({
    ...{ 'x-request-id': id, 'x-serverless-id': 'boltic', 'x-serverless-status': '200' },
    'x-duration-seconds': SECONDS,
  }),
  aws: () => ({ 'content-type': /^application\/json/ }),
}

t.test(`a function that takes ${CALL_MS / 1_000} s, behind every door at the same time`, async (t) => {
  const asked = await Promise.all(doors.map(ask))
  for (const { door, status, tookMs } of asked) {
    t.equal(status, 202, door.name)
    if (isFull) t.ok(tookMs < CALL_MS / 2, `${door.name} does not wait for it`)
  }
  await receiver.until(() => doors.every(({ name }) => told.has(`/${name}`)), CALL_MS + SLACK_MS)
  // What would be made twice has been, once nothing is left to be made.
  t.match(await client.request(`${posthaste.url}/cycle?wait=30s`, 'POST'), { json: { drained: true } })
  t.match(await posthaste.stop(), { code: 0 })
  await receiver.heardAll()

  t.strictSame([...told.keys()].sort(), doors.map(({ name }) => `/${name}`).sort(), 'nobody else is told')
  for (const { door, id } of asked) {
    const { name } = door
    t.equal(fn.with(bodyOf(door)).length, 1, `${name}: called once`)
    const [result, ...again] = told.get(`/${name}`) as [Told, ...Told[]]
    t.strictSame(again, [], `${name}: told once`)
    t.match(result.headers, {
      ...{ 'posthaste-id': id, 'posthaste-state': 'succeeded', 'posthaste-status': '200' },
      ...tells[name]?.(id),
    })
    const tookS = Number(result.headers['posthaste-duration-seconds'])
    t.ok(tookS >= CALL_MS / 1_000 - EARLY_S, `${name}: it took ${tookS} s`)
    if (name === 'aws')
      t.match(JSON.parse(result.body), { requestContext: { requestId: id }, responsePayload: { by: 'aws' } })
    else t.equal(result.body, bodyOf(door), `${name}: what the function answered`)
  }
})
