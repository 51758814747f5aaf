import type { Log } from '@posthaste/core'
import t from 'tap'
import { requestLimit, Tokens } from '../src/index.js'
import { ask } from './api-client.js'
import { bearer, credentialsOf, holderOf, jwtCallers, startIssuer } from './callers.js'
import { failed, startOne } from './installation.js'
import { Notebook, readCalls, startAccepter, TARGET } from './setting.js'

/** A whole one comes again after 100 s. */
const SLOW = 0.01

t.test('a token may ask only so often', async (t) => {
  const lines: string[] = []
  const log: Log = { debug() {}, info() {}, error() {}, warn: (_, text) => void lines.push(text ?? '') }
  const slow = holderOf({ scopes: ['read', 'invoke'], name: 'slow', requestsPerSecond: SLOW, burst: 2 })
  const other = holderOf({ scopes: ['read'], name: 'other' })
  const credentials = credentialsOf([slow.holder, other.holder])
  const { url } = await startOne(t, { credentials, log })
  const list = (token: string) => ask(url, 'listInvocations', { headers: bearer(token) })
  const first = await list(slow.token)
  t.equal(first.status, 200)
  t.equal(first.headers.get('ratelimit-policy'), '"requests";q=2;w=200')
  t.equal(first.headers.get('ratelimit'), '"requests";r=1;t=100')
  // What it may not do counts too.
  t.equal((await ask(url, 'getStats', { headers: bearer(slow.token) })).status, 403)
  const third = await list(slow.token)
  t.match({ status: third.status, json: third.json }, { status: 429, json: { code: 'rate-limited' } })
  const after = Number(third.headers.get('retry-after'))
  t.ok(after > 50 && after <= 100, `after ${after} s`)
  t.match(third.headers.get('ratelimit'), /^"requests";r=0;t=\d+$/)
  const { headers, status } = await list(other.token)
  t.equal(status, 200, 'another may')
  t.equal(headers.get('ratelimit'), null)
  t.equal((await ask(url, 'getReadiness', { headers: bearer(slow.token) })).status, 200, 'what is open is not counted')
  await list(slow.token)
  t.strictSame(lines, ['requests are refused'], 'it is logged once')
})

t.test('a batch counts as all that is in it', async (t) => {
  const door = new Notebook()
  const { holder, token } = holderOf({ scopes: ['invoke'], requestsPerSecond: SLOW, burst: 4 })
  const { url } = await startAccepter(t, { invocations: door, credentials: credentialsOf([holder]) })
  const send = (...targets: string[]) =>
    ask(url, 'createInvocations', {
      headers: bearer(token),
      body: { invocations: targets.map((target) => ({ target })) },
    })
  const statuses = ({ json }: { json: { results: { status: number }[] } }) => json.results.map(({ status }) => status)
  const one = await send(TARGET)
  t.strictSame([statuses(one), one.headers.get('ratelimit')], [[202], '"requests";r=3;t=100'])
  const many = await send(TARGET, 'no URL', TARGET, TARGET, 'no URL')
  t.strictSame(statuses(many), [202, 400, 202, 429, 429], 'what is wrong counts too')
  t.match(many.json.results[3].problem, { code: 'rate-limited', detail: /4 times at once/ })
  t.match(many.headers.get('ratelimit'), /^"requests";r=0;t=\d+$/)
  const after = Number(many.headers.get('retry-after'))
  t.ok(after > 50 && after <= 100, `after ${after} s`)
  t.equal((await send(TARGET)).status, 429, 'now it is not read at all')
  t.equal(door.appends.flat().length, 3)
})

t.test('what is redriven at once counts, each as if it were sent', async (t) => {
  const sender = holderOf({ scopes: ['invoke'] })
  const { holder, token } = holderOf({ scopes: ['control'], requestsPerSecond: SLOW, burst: 4 })
  const one = await startOne(t, { credentials: credentialsOf([sender.holder, holder]) })
  await failed(one, Array(5).fill({ target: TARGET }), bearer(sender.token))
  const redrive = (isDryRun: boolean) =>
    ask(one.url, 'redriveInvocations', { headers: bearer(token), body: { filter: {}, dryRun: isDryRun } })
  t.match((await redrive(true)).json, { matched: 5, done: 0 }, 'to look is one request')
  t.match(await redrive(false), { status: 429, json: { code: 'rate-limited' } })
  t.equal((await readCalls(one.stream)).length, 5 + 2, 'two there was room for')
})

t.test('there is a usual limit for whom none is named', async (t) => {
  const usual = { limit: requestLimit(5), openMax: 100 }
  const [plain, own] = [
    holderOf({ scopes: ['invoke'] }),
    holderOf({ scopes: ['read'], requestsPerSecond: 1, openMax: 7 }),
  ]
  const tokens = new Tokens([plain.holder, own.holder], usual)
  t.match(tokens.callerOf(plain.token), usual)
  t.match(tokens.callerOf(own.token), { limit: requestLimit(1), openMax: 7 })
  const { keys, sign } = await startIssuer()
  t.match(await jwtCallers(keys, { limits: usual }).callerOf(await sign({})), usual)
  const unlimited = await jwtCallers(keys).callerOf(await sign({}))
  t.strictSame([unlimited?.limit, unlimited?.openMax], [undefined, undefined])
})
