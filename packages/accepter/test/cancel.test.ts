import { setImmediate as turn } from 'node:timers/promises'
import { type Directive, decodeDirective } from '@posthaste/core'
import t from 'tap'
import { ask } from './api-client.js'
import { directiveOf, type Installed, Listener, startOne, startTwo } from './installation.js'
import { TARGET } from './setting.js'

const body = { target: TARGET, delay: '10m' }

t.test('a cancellation is answered once it is recorded', async (t) => {
  const [first, second] = await startTwo(t)
  const { id } = (await ask(first.url, 'createInvocation', { body })).json
  const listener = new Listener(first.stream)
  const call = await listener.callOf(first.view, id)
  const cancelling = ask(second.url, 'cancelInvocation', { id, query: { wait: '30s' } })
  const directive = await directiveOf(first.view, id)
  t.match(directive, { id, generation: 1, attempt: 1, kind: 'cancel', isDone: false })
  t.match(Buffer.from(directive.record).toString(), TARGET, 'so that a listener can act that does not have the call')
  t.ok(directive.untilMs > Date.parse(String(call.notBeforeMs && new Date(call.notBeforeMs).toISOString())))
  const pending = (await ask(first.url, 'getInvocation', { id })).json
  t.match(pending, { state: 'scheduled', pendingChange: { kind: 'cancel' } })
  await listener.cancel(call, directive)
  const { json, status } = await cancelling
  t.equal(status, 200)
  t.match(json, { id, state: 'cancelled', failure: { code: 'cancelled' } })
  t.notOk('pendingChange' in json)

  const again = await ask(first.url, 'cancelInvocation', { id })
  t.equal(again.status, 200, 'asked again it is so still')
  t.equal(again.json.state, 'cancelled')
})

t.test('what takes longer is told to be under way, and is asked for once', async (t) => {
  const { stream, url, view } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const first = await ask(url, 'cancelInvocation', { id, query: { wait: '0s' } })
  t.equal(first.status, 202)
  t.strictSame(first.json, { id, state: 'cancelling' })
  const { number } = await directiveOf(view, id)
  t.equal((await ask(url, 'cancelInvocation', { id, query: { wait: '50ms' } })).status, 202)
  t.strictSame(await controlOf(stream), [id], 'and what is asked stays what it was')
  t.equal((await directiveOf(view, id)).number, number)
  const moved = await ask(url, 'moveInvocation', { id, body: { delay: '1h' } })
  t.equal(moved.json.code, 'not-movable', 'and nothing else can be asked')
})

t.test('what has ended otherwise is a conflict, also if it ends meanwhile', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const ended = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json.id
  await listener.succeed(await listener.callOf(view, ended))
  await ask(url, 'getInvocation', { id: ended, query: { wait: '30s' } })
  const late = await ask(url, 'cancelInvocation', { id: ended })
  t.equal(late.status, 409)
  t.match(late.json, { code: 'already-ended', detail: /^It ended as succeeded at / })
  t.strictSame(await controlOf(stream), [], 'nothing was asked')

  const ending = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json.id
  const call = await listener.callOf(view, ending)
  const cancelling = ask(url, 'cancelInvocation', { id: ending, query: { wait: '30s' } })
  await directiveOf(view, ending)
  await listener.fail(call)
  t.match((await cancelling).json, { code: 'already-ended', detail: /failed/ })
})

t.test('the process answers what it knows when it stops, or its client has gone', async (t) => {
  const { stop, url, view } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  await ask(url, 'getInvocation', { id })
  const gone = new AbortController()
  const leaving = ask(url, 'cancelInvocation', { id, query: { wait: '60s' }, signal: gone.signal }).catch(() => 'gone')
  while (view.waits < 1) await turn()
  gone.abort()
  t.equal(await leaving, 'gone')
  while (view.waits > 0) await turn()
  const cancelling = ask(url, 'cancelInvocation', { id, query: { wait: '60s' } })
  while (view.waits < 1) await turn()
  await stop()
  t.equal((await cancelling).status, 202)
})

t.test('a body means nothing, and may not be large', async (t) => {
  const { stream, url } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  t.equal((await ask(url, 'cancelInvocation', { id, body: { a: 'a'.repeat(2_000) } })).json.code, 'too-large')
  t.strictSame(await controlOf(stream), [])
  t.equal((await ask(url, 'cancelInvocation', { id, body: { a: 1 }, query: { wait: '0s' } })).status, 202)
})

t.test('the turn that is waited for is named: a retry is another one', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body: { target: TARGET } })).json
  const call = await listener.callOf(view, id)
  const failure = { code: 'timeout', detail: 'Late.' } as const
  await listener.tell(call, { state: 'retrying', failure, nextAttemptAtMs: Date.now() + 3_600_000 })
  await view.until(() => view.get(id)?.state === 'retrying' || undefined, 10_000)
  await ask(url, 'cancelInvocation', { id, query: { wait: '0s' } })
  t.match(await directiveOf(view, id), { attempt: 2 })
})

t.test('what another record took the place of, unread, is asked for again', async (t) => {
  const { stream, url, view } = await startOne(t)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const cancelling = ask(url, 'cancelInvocation', { id, query: { wait: '30s' } })
  const cancellation = await view.until(() => (kindOf(view, id) === 'cancel' ? view.directive(id) : undefined), 10_000)
  // A listener forgets what was asked of it before, and does not know of this yet.
  const listener = new Listener(stream)
  await stream.append('control', [{ key: id, value: Buffer.alloc(0) }])
  while ((await lastKindOf(stream)) !== 'cancel') await turn()
  await listener.cancel(await listener.callOf(view, id), cancellation as Directive)
  t.equal((await cancelling).status, 200)
})

t.test('numbers grow, also over those that are past', async (t) => {
  const { stream, url, view } = await startOne(t)
  const listener = new Listener(stream)
  const { id } = (await ask(url, 'createInvocation', { body })).json
  const far = {
    ...(await (async (): Promise<Directive> => {
      await ask(url, 'moveInvocation', { id, body: { delay: '1h' }, query: { wait: '0s' } })
      return directiveOf(view, id)
    })()),
    number: Number.MAX_SAFE_INTEGER - 10,
    isDone: true,
  }
  await listener.mark(far)
  await view.until(() => view.directive(id)?.isDone || undefined, 10_000)
  await ask(url, 'cancelInvocation', { id, query: { wait: '0s' } })
  const cancelled = await view.until(
    () => (view.directive(id)?.kind === 'cancel' ? view.directive(id) : undefined),
    10_000,
  )
  t.equal(cancelled?.number, far.number + 1)
})

function kindOf(view: Installed['view'], id: string): string | undefined {
  return view.directive(id)?.kind
}

async function lastKindOf(stream: Installed['stream']): Promise<string> {
  let last = ''
  for await (const { records } of stream.follow('control', 'start', { untilEnd: true }))
    for (const { value } of records) last = value.length > 0 ? decodeDirective(value).kind : ''
  return last
}

async function controlOf(stream: Installed['stream']): Promise<string[]> {
  const keys: string[] = []
  for await (const { records } of stream.follow('control', 'start', { untilEnd: true }))
    keys.push(...records.map(({ key }) => key))
  return keys
}
