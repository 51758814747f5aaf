import type { ScheduleDocument } from '@posthaste/core'
import t from 'tap'
import { idOf, problem, serveApi } from './api-server.js'
import { run } from './posthaste.js'

function shown(id: string, more: Partial<ScheduleDocument> = {}): ScheduleDocument {
  return {
    ...{ id, state: 'active', cron: '0 9 * * *', timeZone: 'Europe/Berlin', missed: 'once' },
    ...{ startAt: '2026-01-02T03:04:05.678Z', createdAt: '2026-01-02T03:04:05.678Z' },
    nextRuns: ['2126-06-01T07:00:00.000Z', '2126-06-02T07:00:00.000Z'],
    instruction: { target: 'https://api.example.com/report', method: 'POST', headers: {}, bodyBytes: 0 },
    ...more,
  }
}

t.test('creates a schedule', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ status: 201, body: shown(idOf(1)) }))
  const target = 'https://api.example.com/report'
  const when = ['--cron', '0 9 * * *', '--time-zone', 'Europe/Berlin', '--end-at', '2027-01-01T00:00:00Z']
  const what = ['-X', 'put', '-H', 'x-a: 1', '-d', '{"a":1}', '--expires-in', '1h', '--missed', 'skip']
  const args = ['schedule', 'create', target, ...when, ...what, '--idempotency-key', 'a"b', '--url', url]
  const { code, stderr, stdout } = await run(args)
  t.equal(stderr, '')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), shown(idOf(1)))
  t.match(asked, [{ what: 'POST /schedules', headers: { 'idempotency-key': '"a\\"b"' } }])
  t.strictSame(asked[0]?.body, {
    cron: '0 9 * * *',
    timeZone: 'Europe/Berlin',
    endAt: '2027-01-01T00:00:00Z',
    missed: 'skip',
    instruction: {
      ...{ target, method: 'PUT', headers: { 'x-a': ['1'], 'content-type': 'application/json' } },
      ...{ body: '{"a":1}', bodyEncoding: 'text', expiresIn: '1h' },
    },
  })
  await run(['schedule', 'create', target, '--every', '30s', '--url', url])
  t.strictSame(asked[1]?.body, { every: '30s', instruction: { target } })
})

t.test('what is wrong is said', async (t) => {
  const { asked, url } = await serveApi(t, () => problem(400, 'invalid-cron', '/cron: No.'))
  const wrong = await run(['schedule', 'create', 'http://a/', '--cron', 'x', '--url', url])
  t.equal(wrong.code, 2)
  t.equal(wrong.stderr, '/cron: No. (invalid-cron)\n')
  for (const args of [['create'], ['get'], ['pause'], ['create', 'http://a/', '--delay', '1s'], ['get', 'a b']])
    t.equal((await run(['schedule', ...args, '--url', url])).code, 2, args.join(' '))
  t.equal(asked.length, 1)
})

t.test('lists schedules, for people and for programs', async (t) => {
  const schedules = [
    shown(idOf(2), { lastRun: { at: '2026-01-02T09:00:00.000Z', id: idOf(3) } }),
    shown(idOf(1), { state: 'paused', every: '30s', nextRuns: [] }),
  ]
  const { cron: _, timeZone: __, ...every } = schedules[1] as ScheduleDocument
  const { asked, url } = await serveApi(t, () => ({ body: { schedules: [schedules[0], every], next: 'abc' } }))
  const args = ['schedule', 'list', '--state', 'active,paused', '--limit', '2', '--cursor', 'xyz', '--url', url]
  const table = await run([...args, '--no-json'])
  t.equal(table.code, 0)
  const [head = '', first = '', second = ''] = table.stdout.split('\n')
  t.match(head, /^ID +STATE +WHEN +NEXT +LAST +CALL$/)
  t.match(first, /active +0 9 \* \* \* Europe\/Berlin +in \d+d +\d+d ago +POST https:\/\/api.example.com\/report$/)
  t.match(second, /paused +every 30s +POST https/)
  t.match(table.stderr, /--cursor abc/)
  const json = await run(args)
  t.strictSame(JSON.parse(json.stdout).next, 'abc')
  t.match(asked[0], { what: 'GET /schedules', query: { state: 'active,paused', limit: '2', cursor: 'xyz' } })
})

t.test('shows one', async (t) => {
  const one = shown(idOf(1), {
    lastRun: { at: '2026-01-02T09:00:00.000Z', id: idOf(2) },
    pendingChange: 'pause',
  })
  const { asked, url } = await serveApi(t, () => ({ body: one }))
  const { code, stdout } = await run(['schedule', 'get', idOf(1), '--runs', '2', '--no-json', '--url', url])
  t.equal(code, 0)
  for (const words of [/active\n/, /call +POST https/, /missed +once/, /last run .*000000000002/, /NEXT\n +2126-06-01/])
    t.match(stdout, words)
  t.match(stdout, /asked for +pause, not done yet/)
  t.match(asked, [{ what: `GET /schedules/${idOf(1)}`, query: { runs: '2' } }])
})

t.test('pauses, resumes and deletes', async (t) => {
  const answers = [
    { body: shown(idOf(1), { state: 'paused', nextRuns: [] }) },
    { status: 202, body: { id: idOf(2), state: 'pausing' } },
    { body: shown(idOf(1)) },
    problem(404, 'not-found', 'There is none.'),
    { body: { id: idOf(1), state: 'deleted' } },
  ]
  const { asked, url } = await serveApi(t, () => answers.shift() ?? { body: {} })
  const more = ['--timeout', '1500ms', '--no-json', '--url', url]
  const paused = await run(['schedule', 'pause', idOf(1), idOf(2), ...more])
  t.equal(paused.code, 6)
  t.equal(paused.stdout, `${idOf(1)}  paused\n${idOf(2)}  pausing\n`)
  const resumed = await run(['schedule', 'resume', idOf(1), idOf(3), ...more])
  t.equal(resumed.code, 3)
  t.match(resumed.stdout, new RegExp(`^${idOf(1)}  active  2126-06-01`))
  t.equal(resumed.stderr, `${idOf(3)}: There is none. (not-found)\n`)
  const deleted = await run(['schedule', 'delete', idOf(1), '--url', url])
  t.strictSame([deleted.code, JSON.parse(deleted.stdout)], [0, { id: idOf(1), state: 'deleted' }])
  t.match(asked, [
    { what: `POST /schedules/${idOf(1)}/pause`, query: { wait: '1500ms' } },
    { what: `POST /schedules/${idOf(2)}/pause` },
    { what: `POST /schedules/${idOf(1)}/resume` },
    { what: `POST /schedules/${idOf(3)}/resume` },
    { what: `DELETE /schedules/${idOf(1)}`, query: {} },
  ])
})
