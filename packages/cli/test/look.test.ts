import { setTimeout as sleep } from 'node:timers/promises'
import type { InvocationDocument } from '@posthaste/core'
import t from 'tap'
import { idOf, problem, type Reply, serveApi, shown } from './api-server.js'
import { run, runProcess } from './posthaste.js'

t.test('gets an invocation as the API shows it', async (t) => {
  const invocation = shown(idOf(1), 'failed')
  const { asked, url } = await serveApi(t, () => ({ body: invocation }))
  const { code, stderr, stdout } = await run(['get', idOf(1), '--url', url])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.equal(stdout, `${JSON.stringify(invocation)}\n`)
  t.match(asked, [{ what: `GET /invocations/${idOf(1)}`, query: {} }])
})

t.test('tells people what became of an invocation', async (t) => {
  const createdAt = new Date(Date.now() - 800_000_000).toISOString()
  const failure = { code: 'status' as const, detail: 'The target\x1b[2J answered 500.' }
  const { url } = await serveApi(t, () => ({
    body: shown(idOf(1), 'retrying', {
      createdAt,
      generation: 2,
      nextAttemptAt: new Date(Date.now() + 700_000).toISOString(),
      correlationId: 'order-42',
      instruction: { headers: {}, bodyBytes: 17, forwardTo: 'https://hooks.example.com/done', expiresAt: createdAt },
      parent: idOf(2),
      failure,
      response: { status: 500, headers: {}, bodyBytes: 70_000, bodyKept: false },
      forward: { refused: 'depth-exceeded' },
      destination: { id: 'the-destination' },
      pendingChange: { kind: 'move', notBefore: createdAt },
      attempts: [
        { generation: 1, attempt: 1, startedAt: createdAt, durationMs: 12.4, failure },
        {
          generation: 2,
          attempt: 1,
          startedAt: createdAt,
          durationMs: 3,
          status: 500,
          listener: 'http://a:1',
        },
      ],
    }),
  }))
  const { code, stdout } = await run(['get', idOf(1), '--url', url, '--no-json'], { TZ: 'Asia/Kathmandu' })
  t.equal(code, 0)
  const lines = stdout.split('\n')
  const created = `${new Date(createdAt).toLocaleString('sv-SE', { timeZone: 'Asia/Kathmandu' })} (9d ago)`
  t.match(lines.splice(4, 1)[0], /^ {2}next attempt {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(in 11m\)$/)
  t.strictSame(lines, [
    `${idOf(1)}  retrying`,
    '  call          POST https://api.example.com/resize',
    '  body          17 bytes',
    `  created       ${created}`,
    `  expires       ${created}`,
    '  generation    2',
    '  correlation   order-42',
    `  parent        ${idOf(2)}`,
    '  failure       status: The target?[2J answered 500.',
    '  response      500, 70000 bytes, too large to keep',
    '  forward to    https://hooks.example.com/done',
    '  forward       refused: depth-exceeded',
    '  destination   the-destination',
    `  asked for     move to ${created}, not done yet`,
    '',
    '  ATTEMPT  STARTED                       TOOK   ANSWER  LISTENER',
    `  1.1      ${created}  12 ms  status`,
    `  2.1      ${created}  3 ms   500     http://a:1`,
    '',
  ])
})

t.test('prints the body of a response as it is', async (t) => {
  const bytes = Buffer.from([0xff, 0x00, 0x0a, 0x80])
  const { asked, url } = await serveApi(t, () => ({ headers: { 'content-type': 'image/png' }, body: bytes }))
  const { code, stdout } = await run(['get', idOf(1), '--response', '--url', url])
  t.equal(code, 0)
  t.equal(stdout, bytes.toString(), 'as far as text can tell')
  t.match(asked, [{ what: `GET /invocations/${idOf(1)}/response` }])
})

t.test('what is not there, or is no id, has its exit code', async (t) => {
  const { asked, url } = await serveApi(t, () => problem(404, 'not-found', 'There is no such invocation.'))
  for (const args of [
    ['get', idOf(1)],
    ['get', idOf(1), '--response'],
    ['wait', idOf(1)],
  ]) {
    const { code, stderr, stdout } = await run([...args, '--url', url])
    t.equal(code, 3, args.join(' '))
    t.match(stderr, 'There is no such invocation. (not-found)')
    t.equal(stdout, '')
  }
  const before = asked.length
  for (const args of [
    ['get', '../stats'],
    ['get'],
    ['wait'],
    ['wait', idOf(1), '.'],
    ['wait', idOf(1), '--timeout', '5'],
  ]) {
    t.equal((await run([...args, '--url', url])).code, 2, args.join(' '))
  }
  t.equal(asked.length, before)
})

/** Answers a list of `count` in pages that are no longer than asked for; every second page is empty. */
function paged(count: number): (asked: { query: Readonly<Record<string, string>> }) => Reply {
  return ({ query: { cursor = '0', limit = '50' } }) => {
    const at = Number(cursor)
    if (Number.isInteger(at) && at > 0) return { body: { invocations: [], next: `${at + 0.5}` } }
    const from = Math.floor(at)
    const to = Math.min(count, from + Number(limit))
    const invocations = Array.from({ length: to - from }, (_, index) => shown(idOf(from + index), 'queued'))
    return { body: { invocations, ...(to < count && { next: String(to) }) } }
  }
}

t.test('a list is one document, with the cursor to go on', async (t) => {
  const { asked, url } = await serveApi(t, paged(1_300))
  const first = await run(['list', '--url', url])
  t.equal(first.stderr, '')
  t.equal(first.code, 0)
  const page = JSON.parse(first.stdout) as { invocations: { id: string }[]; next: string }
  t.equal(page.invocations.length, 50)
  t.equal(page.next, '50')
  const second = await run(['list', '--url', url, '--limit', '1200', '--cursor', page.next])
  const rest = JSON.parse(second.stdout) as typeof page
  t.strictSame(
    [...page.invocations, ...rest.invocations].map(({ id }) => id),
    Array.from({ length: 1_250 }, (_, index) => idOf(index)),
  )
  t.equal(rest.next, '1250')
  t.strictSame(
    asked.slice(1).map(({ query }) => query),
    [
      { limit: '500', cursor: '50' },
      { limit: '500', cursor: '50.5' },
      { limit: '500', cursor: '550' },
      { limit: '500', cursor: '550.5' },
      { limit: '200', cursor: '1050' },
      { limit: '200', cursor: '1050.5' },
    ],
  )
})

t.test('all of a list is a line each, and is out when the command ends', async (t) => {
  const { url } = await serveApi(t, paged(1_300))
  const { code, stdout } = await runProcess(t, ['list', '--all', '--url', url])
  t.equal(code, 0)
  const lines = stdout.trim().split('\n')
  t.strictSame(
    lines.map((line) => (JSON.parse(line) as { id: string }).id),
    Array.from({ length: 1_300 }, (_, index) => idOf(index)),
  )
})

t.test('a list for people is a table, and says if there is more', async (t) => {
  const createdAt = new Date(Date.now() - 800_000_000).toISOString()
  const nextAttemptAt = new Date(Date.now() + 700_000).toISOString()
  const {
    method: _,
    target: __,
    ...failed
  } = shown(idOf(2), 'failed', {
    createdAt,
    failure: { code: 'record-unreadable', detail: '' },
    nextAttemptAt,
  })
  const pages = [
    { invocations: [shown(idOf(1), 'queued', { createdAt }), failed], next: 'a' },
    { invocations: [shown(idOf(3), 'queued', { createdAt })], next: 'b' },
  ]
  const { url } = await serveApi(t, () => ({ body: pages.shift() }))
  const { code, stderr, stdout } = await run(['list', '--limit', '3', '--no-json', '--url', url])
  t.equal(code, 0)
  const call = 'POST https://api.example.com/resize'
  t.strictSame(stdout.split('\n'), [
    'ID                                    STATE   CREATED  NEXT    FAILURE            CALL',
    `${idOf(1)}  queued  9d ago                              ${call}`,
    `${idOf(2)}  failed  9d ago   in 11m  record-unreadable  what cannot be read`,
    `${idOf(3)}  queued  9d ago                              ${call}`,
    '',
  ])
  t.equal(stderr, 'There are more: --all shows them, or go on with --cursor b\n')
})

t.test('a list is filtered by the API', async (t) => {
  const { asked, url } = await serveApi(t, paged(0))
  const hourAgo = Date.now() - 3_600_000
  const filter = ['--state', 'failed,expired', '--target', 'https://a.example', '--correlation-id', 'a b']
  const times = ['--created-after', '1h', '--created-before', '2026-12-24T18:00:00+01:00']
  t.equal((await run(['list', ...filter, ...times, '--url', url])).code, 0)
  const { createdAfter, ...query } = asked[0]?.query ?? {}
  t.strictSame(query, {
    state: 'failed,expired',
    target: 'https://a.example',
    correlationId: 'a b',
    createdBefore: '2026-12-24T17:00:00.000Z',
    limit: '50',
  })
  const lateMs = Date.parse(createdAfter ?? '') - hourAgo
  t.ok(lateMs >= 0 && lateMs < 60_000, String(createdAfter))
  for (const args of [
    ['--created-after', 'soon'],
    ['--limit', 'all'],
    ['--all', '--limit', '1'],
  ]) {
    t.equal((await run(['list', ...args, '--url', url])).code, 2, args.join(' '))
  }
  t.equal(asked.length, 1)
})

t.test('a reader that has seen enough ends a list quietly', async (t) => {
  const { url } = await serveApi(t, paged(100_000))
  const { code, stderr, stdout } = await runProcess(t, ['list', '--all', '--url', url], undefined, { linesMax: 3 })
  t.equal(stderr, '')
  t.equal(code, 0)
  t.ok(stdout.length < 1_000_000)
})

t.test('waits for each, and ends with the highest exit code', async (t) => {
  const states: Record<string, InvocationDocument['state']> = {
    [idOf(1)]: 'succeeded',
    [idOf(2)]: 'expired',
    [idOf(3)]: 'queued',
  }
  const { asked, url } = await serveApi(t, ({ what }) => {
    const id = what.split('/').at(-1) ?? ''
    const state = states[id]
    return state === undefined ? problem(404, 'not-found', 'None.') : { body: shown(id, state) }
  })
  const wait = async (...args: string[]) => {
    const { code, stderr, stdout } = await run(['wait', ...args, '--url', url])
    const lines = stdout.split('\n').slice(0, -1)
    return { code, stderr, states: lines.map((line) => (JSON.parse(line) as { state: string }).state) }
  }
  t.strictSame(await wait(idOf(1)), { code: 0, stderr: '', states: ['succeeded'] })
  t.strictSame(await wait(idOf(2), idOf(1)), { code: 1, stderr: '', states: ['expired', 'succeeded'] })
  t.strictSame(await wait(idOf(4), idOf(1)), {
    code: 3,
    stderr: `${idOf(4)}: None. (not-found)\n`,
    states: ['succeeded'],
  })
  const before = asked.length
  t.strictSame(await wait(idOf(3), idOf(1), '--timeout', '0s'), {
    code: 6,
    stderr: '',
    states: ['queued', 'succeeded'],
  })
  t.match(asked.slice(before), [{ query: { wait: '0ms' } }, { query: { wait: '0ms' } }])
})

t.test('waits no longer than it is told', async (t) => {
  const { asked, url } = await serveApi(t, async ({ query: { wait = '' } }) => {
    await sleep(Number.parseInt(wait, 10))
    return { body: shown(idOf(1), 'running') }
  })
  const startedMs = performance.now()
  const { code, stdout } = await run(['wait', idOf(1), '--timeout', '300ms', '--url', url])
  t.equal(code, 6)
  t.match(JSON.parse(stdout), { state: 'running' })
  t.ok(performance.now() - startedMs >= 300)
  const waits = asked.map(({ query: { wait = '' } }) => Number.parseInt(wait, 10))
  t.ok(waits[0] !== undefined && waits[0] > 0 && waits[0] <= 300, waits.join())
})

t.test('stats are shown as they are, or in words', async (t) => {
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()
  const body = {
    states: { scheduled: 12, queued: 0, failed: 3 },
    oldestWaiting: { createdAt: ago(3_600_000), ageMs: 3_600_000 },
    pendingChanges: 5,
    nextDueAt: ago(-700_000),
    rates: { acceptedPerSecond: 12.456789, endedPerSecond: 0 },
    view: { behindMs: 4 },
  }
  const { asked, url } = await serveApi(t, () => ({ body }))
  t.strictSame(JSON.parse((await run(['stats', '--url', url])).stdout), body)
  t.match(asked, [{ what: 'GET /stats' }])
  t.strictSame((await run(['stats', '--url', url, '--no-json'])).stdout.split('\n'), [
    'STATE      INVOCATIONS',
    'scheduled           12',
    'queued               0',
    'failed               3',
    '',
    'oldest queued  60m ago',
    'next due       in 11m',
    'changes        5 looked out for',
    'accepted       12.5 a second',
    'ended          0 a second',
    'as of          4 ms ago',
    '',
  ])
})
