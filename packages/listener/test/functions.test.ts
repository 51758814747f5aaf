import {
  type Call,
  DEFAULT_RETRY_POLICY,
  EgressPolicy,
  encodeCall,
  type FunctionMap,
  functionMapOf,
  type Outcome,
  parseFunctionFile,
  parseInstruction,
  parseSigningKey,
  parseTargetPattern,
  type TargetRule,
} from '@posthaste/core'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { effectsAgain, endAttempt } from '../src/effects.js'
import type { ListenerOptions } from '../src/index.js'
import { finalStates, readJournal, runOne, startListener, startTarget, submit, until } from './setting.js'

const SECRET = 'a-secret-of-the-operator'
const PROMPT = { initialDelay: '1ms', jitter: 'none', factor: 1 } as const

/** What a file of functions says of these. */
function mapOf(functions: object): FunctionMap {
  return functionMapOf(parseFunctionFile({ functions }, (source) => ({ value: String(source) })))
}

/** A listener that may call nothing here but functions, of which there are others as soon as it is told. */
async function startWith(t: Test, functions: object, options: Partial<ListenerOptions> = {}) {
  let map = mapOf(functions)
  const running = await startListener(t, { egress: new EgressPolicy(), functions: () => map, ...options })
  const reload = (others: object): void => {
    map = mapOf(others)
  }
  return { running, reload }
}

t.test('a function is called where it is, with what only the operator knows', async (t) => {
  const target = await startTarget(t)
  const url = `${target.url}/fn/?key=${SECRET}`
  const { running } = await startWith(t, { resize: { url, headers: { 'X-Key': SECRET, 'x-more': 'b' } } })
  const headers = { 'x-key': 'forged', x_key: 'forged', 'x-own': '1' }
  const end = await runOne(running, { function: 'resize', path: '/a?b=c', method: 'PUT', headers, body: 'text' })
  t.match(end, { state: 'succeeded', target: 'function://resize/a?b=c' })
  const [seen] = target.seen
  t.match(seen, { method: 'PUT', url: `/fn/a?key=${SECRET}&b=c`, body: Buffer.from('text') })
  t.match(seen?.headers, { host: target.url.slice(7), 'x-key': SECRET, 'x-more': 'b', 'x-own': '1' })
  t.notOk('x_key' in (seen?.headers ?? {}), 'nothing that a server could take for it')
  t.match(await runOne(running, { target: target.url }), {
    failure: { code: 'target-refused' },
  })
  t.notMatch(JSON.stringify(await readJournal(running.stream)), new RegExp(SECRET))
})

t.test('a function may be at a name that leads to where nobody else may call', async (t) => {
  const target = await startTarget(t)
  const url = `http://resize.internal:${new URL(target.url).port}/`
  const { running } = await startWith(
    t,
    { resize: { url } },
    { lookup: (_, __, callback) => setImmediate(() => callback(null, [{ address: '127.0.0.1', family: 4 }])) },
  )
  t.match(await runOne(running, { target: url }), { failure: { code: 'target-refused' } })
  t.match(await runOne(running, { function: 'resize' }), { state: 'succeeded' })
  t.match(await runOne(running, { target: url }), { failure: { code: 'target-refused' } }, 'by its name alone')
  t.equal(target.seen.length, 1)
})

t.test('who is told may be a function, and a function says who is told', async (t) => {
  const target = await startTarget(t, ({ url }, response) =>
    response.writeHead(url === '/bad' ? 503 : 200).end('answer'),
  )
  const { running } = await startWith(t, {
    bad: {
      url: `${target.url}/bad`,
      retry: { ...PROMPT, maxAttempts: 2 },
      forwardTo: { url: 'function://told/forward', headers: { 'X-Function-Status': '{status}' } },
      onFailure: { url: 'function://told/dead', format: 'event' },
    },
    told: { url: `${target.url}/told` },
  })
  const { id } = await runOne(running, { function: 'bad', body: 'the event' })
  await finalStates(running.stream, 3)
  t.equal(target.seen.filter(({ url }) => url === '/bad').length, 2)
  const seenAt = (path: string) => target.seen.filter(({ url }) => url === path)
  t.match(seenAt('/told/forward'), [{ body: Buffer.from('answer'), headers: { 'x-function-status': '503' } }])
  t.match(seenAt('/told/dead'), [
    { body: Buffer.from('the event'), headers: { requestid: id, errorcode: '503', 'posthaste-state': 'failed' } },
  ])
  await runOne(running, { function: 'bad', retry: { maxAttempts: 1 }, forwardTo: 'function://told/own' })
  await until(() => seenAt('/told/own').length === 1)
  t.equal(target.seen.filter(({ url }) => url === '/bad').length, 3, 'what a call says itself counts')
  t.equal(seenAt('/told/own')[0]?.headers['x-function-status'], undefined, 'also of its headers')
})

t.test('the time-out is that of the function, unless a call has its own', async (t) => {
  const target = await startTarget(t, () => {})
  const { running } = await startWith(t, { slow: { url: target.url, timeout: '300ms' } })
  t.match(await runOne(running, { function: 'slow' }), { failure: { code: 'timeout', detail: /300 ms/ } })
  t.match(await runOne(running, { function: 'slow', timeout: '20ms' }), { failure: { detail: /20 ms/ } })
})

t.test('a function that is not known yet is tried again, and found when it comes', async (t) => {
  const target = await startTarget(t)
  const { reload, running } = await startWith(t, {})
  t.match(await runOne(running, { function: 'late', retry: { ...PROMPT, maxAttempts: 3 } }), {
    ...{ state: 'failed', attempt: 3 },
    failure: { code: 'unknown-function', detail: 'There is no function of this name.' },
  })
  await running.listener.ping('ping', 0)
  await submit(running.stream, [{ function: 'late', retry: { ...PROMPT, initialDelay: '100ms', maxAttempts: 100 } }])
  await until(async () => (await readJournal(running.stream)).length >= 4)
  reload({ late: { url: target.url } })
  t.match(await finalStates(running.stream, 2), [{ state: 'failed' }, { state: 'succeeded' }])
  t.equal(target.seen.length, 1)
  t.strictSame(running.listener.openBreakers, [], 'that says nothing of where it is')
})

t.test('what waits goes to where a function is by then, and what runs ends where it is', async (t) => {
  let release = (): void => {}
  const old = await startTarget(t, async ({ url }, response) => {
    if (url === '/held') await new Promise<void>((resolve) => (release = resolve))
    response.writeHead(url === '/held' ? 200 : 503).end('old')
  })
  const young = await startTarget(t)
  const retry = { ...PROMPT, initialDelay: '200ms', maxAttempts: 50 }
  const { reload, running } = await startWith(t, { fn: { url: old.url, retry } })
  await running.listener.ping('ping', 0)
  await submit(running.stream, [
    { function: 'fn', path: '/held' },
    { function: 'fn', path: '/fails' },
  ])
  await until(() => old.open() === 1 && old.seen.length > 1)
  reload({ fn: { url: `${young.url}/new`, retry } })
  await until(() => young.seen.length === 1)
  t.equal(young.seen[0]?.url, '/new/fails')
  const before = old.seen.length
  // Connections that nothing runs on are closed at once.
  await until(() => old.sockets.size === 1)
  release()
  const ends = await finalStates(running.stream, 2)
  t.strictSame(
    ends.map(({ state }) => state),
    ['succeeded', 'succeeded'],
  )
  t.equal(old.seen.length, before)
  await until(() => old.sockets.size === 0)
})

t.test('however often it moves, a call goes once, and with the headers that are for where it goes', async (t) => {
  const targets = await Promise.all([startTarget(t), startTarget(t)])
  const placeOf = (at: number): object => ({
    ...{ url: `${targets[at]?.url}/${at}`, headers: { 'x-at': String(at) } },
    limits: { concurrency: 4 + at },
  })
  const { reload, running } = await startWith(t, { fn: placeOf(0) })
  await running.listener.ping('ping', 0)
  let moves = 0
  const moving = setInterval(() => {
    moves += 1
    reload({ fn: placeOf(moves % 2) })
  }, 3)
  t.teardown(() => clearInterval(moving))
  await submit(running.stream, Array(100).fill({ function: 'fn' }))
  const ends = await finalStates(running.stream, 100)
  clearInterval(moving)
  t.ok(ends.every(({ state }) => state === 'succeeded'))
  const seen = targets.map(({ seen }, at) =>
    seen.filter(({ headers, url }) => url === `/${at}` && headers['x-at'] === `${at}`),
  )
  t.equal(seen.flat().length, 100)
  t.equal(targets.flatMap(({ seen }) => seen).length, 100)
  await until(() => targets.some(({ sockets }) => sockets.size === 0))
})

t.test('a stop ends what runs where a function was, too', async (t) => {
  const [old, young] = await Promise.all([startTarget(t, () => {}), startTarget(t)])
  const { reload, running } = await startWith(t, { fn: { url: old.url } })
  await running.listener.ping('ping', 0)
  await submit(running.stream, [{ function: 'fn' }])
  await until(() => old.open() === 1)
  reload({ fn: { url: young.url } })
  await submit(running.stream, [{ function: 'fn' }])
  await finalStates(running.stream, 1)
  t.equal(old.open(), 1)
  await running.listener.stop(0)
  await until(() => old.sockets.size + young.sockets.size === 0)
})

t.test('an end that is derived again tells the same as before', async (t) => {
  const map = mapOf({ fn: { url: 'http://a/', forwardTo: 'function://fn/told', onFailure: 'http://b/' } })
  const options = { functions: () => map, retry: DEFAULT_RETRY_POLICY, recordBytesMax: 64 * 1024 }
  const content = parseInstruction({ function: 'fn', retry: { maxAttempts: 1 } }, 0)
  const call: Call = { id: 'a', generation: 1, attempt: 1, acceptedAtMs: 0, depth: 0, method: 'POST', ...content }
  const response = { status: 500, headers: {}, body: Buffer.from('no'), bodyBytes: 2 }
  const outcome: Outcome = { kind: 'answered', startedAtMs: 1, durationMs: 1, response }
  const { effects } = endAttempt(call, { value: encodeCall(call) }, outcome, options, { atMs: 2, listener: 'l' }, 0)
  t.equal(effects.children?.length, 2)
  t.strictSame(effectsAgain(call, effects.journal?.[0]?.value as Uint8Array, options).children, effects.children)
})

/** So many that some still wait when all places are earned, also where calls come slowly. */
const MANY = 100

t.test('limits are those of the function, and others as soon as it has others', async (t) => {
  const waiting: (() => void)[] = []
  const target = await startTarget(t, (_, response) => void waiting.push(() => response.end()))
  const free = (): void => {
    for (const answer of waiting.splice(0)) answer()
  }
  const limited = (concurrency: number) => ({ fn: { url: target.url, limits: { concurrency } } })
  const { reload, running } = await startWith(t, limited(1))
  await running.listener.ping('ping', 0)
  await submit(running.stream, Array(MANY).fill({ function: 'fn' }))
  await until(() => {
    if (target.open() === 1) free()
    return target.seen.length === 5
  })
  t.equal(target.openMax(), 1)
  reload(limited(4))
  // A place is earned with each answer.
  await until(() => {
    if (target.openMax() < 4) free()
    return target.openMax() === 4
  })
  const settled = finalStates(running.stream, MANY)
  const freeing = setInterval(free, 5)
  t.teardown(() => clearInterval(freeing))
  await settled
  t.equal(target.openMax(), 4)
  t.equal(target.seen.length, MANY, 'nothing that waited was lost')
})

t.test('rules for targets are by where a function is', async (t) => {
  const target = await startTarget(t, (_, response) =>
    response.setHeader('content-type', 'application/json').end('{"card":"4111"}'),
  )
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const match = parseTargetPattern(`${target.url}/fn/*`)
  const targetRules = [{ match, sign: [parseSigningKey(secret)], redact: ['/card'] }] as TargetRule[]
  const functions = { fn: { url: `${target.url}/fn`, onSuccess: `function://other` }, other: { url: target.url } }
  const { running } = await startWith(t, functions, { targetRules })
  const end = await runOne(running, { function: 'fn', path: '/a', body: { card: '4242' } })
  t.equal(end.responseBody.toString(), '{"card":"***"}')
  await until(() => target.seen.length === 2)
  const [seen, told] = target.seen
  t.ok(new Webhook(secret).verify(seen?.body ?? '', seen?.headers as Record<string, string>))
  t.notMatch(String(told?.body), /4111|4242/)
})

t.test('what is blanked at a function is not told when that is gone', async (t) => {
  const told = await startTarget(t)
  const targetRules = [{ match: parseTargetPattern('http://10.0.0.1'), redact: ['/card'] }] as TargetRule[]
  const { running } = await startWith(t, { told: { url: told.url } }, { targetRules })
  await runOne(running, { function: 'gone', body: { card: '4242' }, onFailure: 'function://told' })
  await until(() => told.seen.length === 1)
  t.match(JSON.parse(String(told.seen[0]?.body)), { posthaste: { failure: { code: 'unknown-function' } } })
  t.notMatch(String(told.seen[0]?.body), /4242/)
})
