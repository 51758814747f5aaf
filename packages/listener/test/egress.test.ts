import type { LookupAddress } from 'node:dns'
import { EgressPolicy, type ErrorCode, type Log } from '@posthaste/core'
import t from 'tap'
import { guardedConnector } from '../src/connector.js'
import { callEnd } from '../src/exchange.js'
import type { ListenerOptions } from '../src/index.js'
import { Target } from '../src/target.js'
import { finalStates, runOne, silent, startListener, startTarget } from './setting.js'

const REFUSED = {
  state: 'failed',
  attempt: 1,
  failure: { code: 'target-refused', detail: 'This may not be called from here.' },
}

/** Where nobody can be: a look-up that leads here and is not refused ends with another code, and late. */
const PRIVATE = '10.255.255.1'

t.test('nothing but what is public is called if nobody says what may be', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t, { egress: new EgressPolicy() })
  const { port } = new URL(target.url)
  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'localhost', '[::1]', '169.254.169.254', '0.0.0.0'])
    t.match(await runOne(running, { target: `http://${host}:${port}/`, retry: { maxAttempts: 5 } }), REFUSED, host)
  t.equal(target.sockets.size + target.seen.length, 0)
})

t.test('whoever connects takes no word for an address', async (t) => {
  const target = await startTarget(t)
  const connect = guardedConnector({ egress: new EgressPolicy() })
  const { port } = new URL(target.url)
  for (const hostname of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', 'localhost', '[::1]', '0x7f.1']) {
    const told = await new Promise((resolve) => {
      connect({ hostname, host: hostname, protocol: 'http:', port }, (error, socket) => {
        socket?.destroy()
        resolve(error)
      })
    })
    t.type(told, Error, hostname)
  }
  t.equal(target.sockets.size, 0)
})

t.test('each address of a name must be one that may be called', async (t) => {
  const target = await startTarget(t)
  const { port } = new URL(target.url)
  const names: Record<string, string[]> = {
    good: ['127.0.0.1'],
    twice: ['127.0.0.1', '127.0.0.2'],
    first: [PRIVATE, '127.0.0.1'],
    last: ['127.0.0.1', PRIVATE],
    mapped: ['::ffff:10.255.255.1'],
    compatible: ['::127.0.0.1'],
    scoped: ['fe80::1%lo'],
    none: [],
    odd: ['0x7f000001'],
  }
  const running = await startListener(t, { lookup: resolver((name) => names[name] ?? []) })
  for (const name of ['good', 'twice']) {
    t.match(await runOne(running, { target: `http://${name}:${port}/` }), { state: 'succeeded' }, name)
  }
  for (const name of ['first', 'last', 'mapped', 'compatible', 'scoped', 'none', 'odd'])
    t.match(await runOne(running, { target: `http://${name}:${port}/`, retry: { maxAttempts: 5 } }), REFUSED, name)
  t.equal(target.seen.length, 2)
})

t.test('a name that leads elsewhere the next time is looked up once for each connection', async (t) => {
  const target = await startTarget(t, (_, response) => response.writeHead(200, { connection: 'close' }).end())
  const { port } = new URL(target.url)
  let asked = 0
  const lookup = resolver(() => {
    asked += 1
    return asked % 2 === 1 ? ['127.0.0.1'] : [PRIVATE]
  })
  const running = await startListener(t, { lookup })
  const call = { target: `http://rebinding:${port}/` }
  t.match(await runOne(running, call), { state: 'succeeded' })
  t.equal(asked, 1, 'what was checked is what was connected to')
  t.match(await runOne(running, call), REFUSED)
  t.match(await runOne(running, call), { state: 'succeeded' }, 'a refusal says nothing of the next call')
  t.equal(target.seen.length, 2)
})

t.test('TLS is not begun either', async (t) => {
  const running = await startListener(t, { lookup: resolver(() => [PRIVATE]) })
  t.match(await runOne(running, { target: 'https://a.example/', timeout: '1h' }), REFUSED)
  t.match(await runOne(running, { target: `https://${PRIVATE}/`, timeout: '1h' }), REFUSED)
})

t.test('a refusal is told as any failure is, and those who are told must be such as may be called', async (t) => {
  const target = await startTarget(t)
  const running = await startListener(t)
  await runOne(running, { target: 'http://10.0.0.1/', onFailure: `${target.url}/told`, forwardTo: 'http://10.0.0.2/' })
  const ends = await finalStates(running.stream, 3)
  t.strictSame(Object.fromEntries(ends.map((entry) => [entry.target, entry.failure?.code])), {
    'http://10.0.0.1/': 'target-refused',
    'http://10.0.0.2/': 'target-refused',
    [`${target.url}/told`]: undefined,
  })
  t.equal((await running.listener.report()).called, 1)
  t.match(target.seen[0]?.headers, { 'posthaste-state': 'failed' })
  t.notMatch(target.seen[0]?.headers, { 'posthaste-duration-seconds': /./ })
})

t.test('an operator is told which address it was, and a caller is not', async (t) => {
  const lines: object[] = []
  const log: Log = { ...silent, warn: (fields) => void lines.push(fields) }
  const running = await startListener(t, { lookup: resolver(() => [PRIVATE]), log })
  const entry = await runOne(running, { target: 'http://a.example/' })
  t.match(lines, [{ host: 'a.example', addresses: [PRIVATE] }, { code: 'target-refused' }])
  t.notMatch(JSON.stringify(entry), /10\.255/)
})

t.test('a refusal says nothing of a target, and so does not open its breaker', async (t) => {
  t.notOk(isDeadOf('target-refused'))
  t.ok(isDeadOf('timeout'))
})

function isDeadOf(code: ErrorCode): boolean {
  const target = new Target<never>('http://a.example', { places: 8, failures: 2, rate: 0, burst: 1 }, 0)
  for (const nowMs of [1_000, 2_000, 3_000, 4_000, 5_000]) {
    target.begin(nowMs)
    target.end(callEnd({ kind: 'unanswered', startedAtMs: 0, durationMs: 1, code, detail: '' }), nowMs)
  }
  return target.isDead
}

/** Answers with the addresses that it is told, whatever family is asked for. */
function resolver(addressesOf: (name: string) => string[]): NonNullable<ListenerOptions['lookup']> {
  return (hostname, _, callback) => {
    const found = addressesOf(hostname).map(
      (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
    )
    setImmediate(() => callback(null, found))
  }
}
