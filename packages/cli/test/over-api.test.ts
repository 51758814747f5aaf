import { once } from 'node:events'
import t, { type Test } from 'tap'
import { makeDirectory, run, runProcess, start, startTarget } from './posthaste.js'

interface Told extends Record<string, unknown> {
  readonly id: string
}

// What the other tests say that the API answers, a real process answers.

const { command, told, url } = await startPosthaste(t)

t.test('a call is made, waited for and shown', async (t) => {
  const target = await startTarget(t, (response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end('Well.'),
  )
  const args = ['call', target.url, '-d', '@-', '--correlation-id', 'one', '--wait']
  const { code, stderr, stdout } = await runProcess(t, args, { POSTHASTE_URL: url }, { stdin: '{"a":1}' })
  t.strictSame([code, stderr], [0, ''])
  const ended = JSON.parse(stdout)
  t.match(ended, { state: 'succeeded', correlationId: 'one', response: { status: 200 }, attempts: [{ status: 200 }] })
  const { id } = ended
  t.match(await told('get', id), [0, { id, state: 'succeeded' }])
  t.match(await told('wait', id), [0, { id, state: 'succeeded' }])
  t.match(await command('get', id, '--response'), { code: 0, stdout: 'Well.' })
  t.match(await told('list', '--correlation-id', 'one', '--created-after', '1h'), [0, { invocations: [{ id }] }])
  t.strictSame(await told('list', '--state', 'failed', '--all'), [0])
  t.match(await told('stats'), [0, { states: { succeeded: 1 } }])
  const words = (await command('get', id, '--no-json')).stdout
  t.match(words, new RegExp(`^${id}  succeeded\n  call +POST ${target.url}/\n  body +7 bytes\n  created `))
  t.match(words, /\n {2}1\.1 +\S+ \S+ \(.*\) {2}\d+ ms {2}200 +http:\S+\n$/)
  t.match((await command('list', '--no-json')).stdout, new RegExp(`\n${id}  succeeded  .*  POST ${target.url}/\n$`))
  t.match((await command('stats', '--no-json')).stdout, /\nsucceeded +1\n/)
})

t.test('what waits is moved, and cancelled', async (t) => {
  const target = await startTarget(t, (response) => response.end())
  const [, receipt] = await told('call', target.url, '--delay', '1h')
  const { id } = receipt as Told
  t.match(await told('wait', id, '--timeout', '0s'), [6, { id, state: 'scheduled' }])
  const beforeMs = Date.now()
  const [code, moved] = await told('move', id, '--delay', '2h')
  t.equal(code, 0)
  const dueMs = Date.parse(String(moved?.nextAttemptAt))
  t.ok(dueMs >= beforeMs + 7_200_000 && dueMs <= Date.now() + 7_200_000, String(moved?.nextAttemptAt))
  t.match(await command('move', id, '--not-before', '2999-01-01T00:00:00Z'), { code: 2, stderr: '(invalid-time)' })
  t.match(await command('move', id), { code: 2, stderr: '(missing-field)' })
  t.match(await told('cancel', id), [0, { id, state: 'cancelled' }])
  t.match(await told('cancel', id), [0, { id, state: 'cancelled' }], 'again')
  t.match(await told('wait', id), [1, { id, state: 'cancelled' }])
  t.match(await command('move', id, '--delay', '1h'), { code: 4, stderr: '(not-movable)' })
  t.match(await command('redrive', id), { code: 4, stderr: '(not-redrivable)' })
  t.match(await command('get', id, '--response'), { code: 3, stderr: '(no-response)' })
  t.match(await command('get', 'unknown'), { code: 3, stderr: '(not-found)' })
  t.equal(target.open.length, 0)
})

t.test('all that a filter finds is cancelled', async (t) => {
  const target = await startTarget(t, (response) => response.end())
  const ids: string[] = []
  for (const name of ['one', 'one', 'two']) {
    const [, receipt] = await told('call', target.url, '--delay', '1h', '--correlation-id', name)
    const { id } = receipt as Told
    t.match(await told('get', id), [0, { id }], 'it is shown from now on')
    ids.push(id)
  }
  t.match(await told('list', '--state', 'scheduled,queued', '--limit', '2'), [0, { invocations: [{}, {}] }])
  const filter = ['--correlation-id', 'one', '--target', target.url, '--state', 'scheduled']
  t.strictSame(await told('cancel', ...filter, '--dry-run'), [0, { matched: 2, done: 0, skipped: 0 }])
  t.strictSame(await told('cancel', ...filter), [0, { matched: 2, done: 2, skipped: 0 }])
  t.match(await told('wait', ...ids.slice(0, 2)), [1, { state: 'cancelled' }, { state: 'cancelled' }])
  t.match(await told('get', ids[2] ?? ''), [0, { state: 'scheduled' }])
})

t.test('dead letters are called again', async (t) => {
  let status = 400
  const target = await startTarget(t, (response) => response.writeHead(status).end())
  const ids: string[] = []
  for (let count = 0; count < 3; count += 1) {
    const [code, ended] = await told('call', target.url, '--wait')
    t.match([code, ended], [1, { state: 'failed' }])
    ids.push((ended as Told).id)
  }
  status = 200
  const [first = '', ...rest] = ids
  t.match(await told('redrive', first), [0, { id: first, generation: 2, state: 'queued' }])
  t.match(await told('wait', first), [0, { state: 'succeeded', generation: 2, attempts: [{}, { generation: 2 }] }])
  t.match(await command('redrive', first), { code: 4, stderr: '(not-redrivable)' })
  t.strictSame(await told('redrive', '--all', '--dry-run'), [0, { matched: 2, done: 0, skipped: 0 }])
  t.strictSame(await told('redrive', '--state', 'failed', '--rate', '20'), [0, { matched: 2, done: 2, skipped: 0 }])
  t.match(await told('wait', ...rest), [0, { state: 'succeeded' }, { state: 'succeeded' }])
})

t.test('what is asked twice with one key is done once', async (t) => {
  const target = await startTarget(t, (response) => response.end())
  const args = ['call', target.url, '--idempotency-key', 'a "b" \\c']
  const [, first] = await told(...args)
  const { id } = first as Told
  t.strictSame(await told(...args), [0, first])
  t.match(await command(...args, '-d', 'other'), { code: 4, stderr: '(key-reused)' })
  t.match(await told('wait', id), [0, { state: 'succeeded' }])
  t.match(await told('list', '--target', target.url), [0, { invocations: [{ id }] }])
  t.equal(target.open.length, 1)
})

t.test('the view is rebuilt from the logs', async (t) => {
  const dataDir = makeDirectory(t)
  const first = await startPosthaste(t, dataDir)
  const target = await startTarget(t, (response) => response.end())
  const [, ended] = await first.told('call', target.url, '--wait')
  first.child.kill('SIGTERM')
  await once(first.child, 'exit')
  const { code, stdout } = await runProcess(t, ['view', 'rebuild', '--data-dir', dataDir])
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), { shown: 1 })
  const again = await startPosthaste(t, dataDir)
  const { id } = ended as Told
  t.match(await again.told('get', id), [0, { id, state: 'succeeded', attempts: [{ status: 200 }] }])
})

/** Starts a process to ask; `command` runs a command that asks it, and `told` says what that ended with and printed. */
async function startPosthaste(t: Test, dataDir = makeDirectory(t)) {
  const { child, url } = await start(t, 'start', { dataDir })
  const command = (...args: string[]) => run(args, { POSTHASTE_URL: url })
  const told = async (...args: string[]): Promise<[number, ...Told[]]> => {
    const { code, stderr, stdout } = await command(...args)
    t.equal(stderr, '', args.join(' '))
    const lines = stdout.split('\n').slice(0, -1)
    return [code, ...lines.map((line) => JSON.parse(line) as Told)]
  }
  return { child, command, told, url }
}
