import t from 'tap'
import { idOf, problem, serveApi, shown } from './api-server.js'
import { run, runProcess } from './posthaste.js'

t.test('cancels each id', async (t) => {
  const answers = [
    { body: shown(idOf(1), 'cancelled') },
    problem(409, 'already-ended', 'It has succeeded.'),
    { status: 202, body: { id: idOf(3), state: 'cancelling' } },
  ]
  const { asked, url } = await serveApi(t, () => answers.shift() ?? { body: {} })
  const ids = [idOf(1), idOf(2), idOf(3)]
  const { code, stderr, stdout } = await run(['cancel', ...ids, '--timeout', '1500ms', '--url', url, '--no-json'])
  t.equal(code, 6)
  t.equal(stderr, `${idOf(2)}: It has succeeded. (already-ended)\n`)
  t.equal(stdout, `${idOf(1)}  cancelled\n${idOf(3)}  cancelling\n`)
  t.match(
    asked,
    ids.map((id) => ({ what: `DELETE /invocations/${id}`, query: { wait: '1500ms' } })),
  )
})

t.test('what was asked for is done for those who do not read the result', async (t) => {
  const { asked, url } = await serveApi(t, ({ what }) => {
    const id = what.split('/').at(-1) ?? ''
    return id === idOf(5) ? problem(409, 'already-ended', 'It has succeeded.') : { body: shown(id, 'cancelled') }
  })
  const ids = [1, 2, 3, 4, 5].map(idOf)
  const { code } = await runProcess(t, ['cancel', ...ids, '--url', url], undefined, { linesMax: 1 })
  t.equal(code, 4)
  t.equal(asked.length, ids.length)
})

t.test('what ended can be cancelled no more', async (t) => {
  const { asked, url } = await serveApi(t, () => problem(409, 'already-ended', 'It has succeeded.'))
  const { code, stdout } = await run(['cancel', idOf(1), '--url', url])
  t.equal(code, 4)
  t.equal(stdout, '')
  t.strictSame(asked[0]?.query, {}, 'how long to wait is left to the API')
})

t.test('who cannot be reached is not asked for the next', async (t) => {
  const { asked, url } = await serveApi(t, () => problem(503, 'stream-unavailable', 'Away.'))
  const { code, stderr } = await run(['cancel', idOf(1), idOf(2), '--url', url])
  t.equal(code, 5)
  t.equal(stderr, 'Away. (stream-unavailable)\n')
  t.equal(asked.length, 1)
})

t.test('moves to another time', async (t) => {
  const moved = shown(idOf(1), 'scheduled', { nextAttemptAt: '2026-12-24T18:00:00.000Z' })
  const answers = [{ body: moved }, { status: 202, body: { id: idOf(1), state: 'moving' } }]
  const { asked, url } = await serveApi(t, () => answers.shift() ?? problem(409, 'not-movable', 'It runs.'))
  const first = await run(['move', idOf(1), '--not-before', '2026-12-24T18:00:00Z', '--url', url])
  t.equal(first.code, 0)
  t.strictSame(JSON.parse(first.stdout), moved)
  t.equal((await run(['move', idOf(1), '--delay', '0s', '--timeout', '1s', '--url', url])).code, 6)
  t.equal((await run(['move', idOf(1), '--delay', '1m', '--url', url])).code, 4)
  const what = `PATCH /invocations/${idOf(1)}`
  t.match(asked, [{ what, query: {} }, { what, query: { wait: '1000ms' } }, { what }])
  t.strictSame(asked[0]?.body, { notBefore: '2026-12-24T18:00:00Z' })
  t.strictSame(asked[1]?.body, { delay: '0s' })
})

t.test('redrives each id', async (t) => {
  const answers = [
    { status: 202, body: { id: idOf(1), generation: 2, state: 'queued' } },
    problem(409, 'not-redrivable', 'It has succeeded.'),
  ]
  const { asked, url } = await serveApi(t, () => answers.shift() ?? { body: {} })
  const { code, stderr, stdout } = await run(['redrive', idOf(1), idOf(2), '--url', url])
  t.equal(code, 4)
  t.equal(stderr, `${idOf(2)}: It has succeeded. (not-redrivable)\n`)
  t.strictSame(JSON.parse(stdout), { id: idOf(1), generation: 2, state: 'queued' })
  t.match(asked, [{ what: `POST /invocations/${idOf(1)}/redrive` }, { what: `POST /invocations/${idOf(2)}/redrive` }])
})

t.test('all that a filter finds is done portion after portion', async (t) => {
  const portions = [
    { matched: 1_000, done: 990, skipped: 10, next: 'a' },
    { matched: 0, done: 0, skipped: 0, next: 'b' },
    { matched: 5, done: 5, skipped: 0 },
  ]
  const { asked, url } = await serveApi(t, () => ({ body: portions.shift() }))
  const filter = ['--state', 'failed,expired', '--target', 'https://a.example', '--correlation-id', 'a']
  const { code, stderr, stdout } = await run(['redrive', ...filter, '--rate', '100', '--url', url])
  t.equal(stderr, '', 'no progress into a file')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), { matched: 1_005, done: 995, skipped: 10 })
  const request = {
    filter: { state: ['failed', 'expired'], target: 'https://a.example', correlationId: 'a' },
    rate: 100,
    limit: 1_000,
  }
  t.strictSame(
    asked.map(({ body, what }) => [what, body]),
    [
      ['POST /redrive', request],
      ['POST /redrive', { ...request, cursor: 'a' }],
      ['POST /redrive', { ...request, cursor: 'b' }],
    ],
  )
})

t.test('all are meant only where it is said, and a dry run counts', async (t) => {
  const { asked, url } = await serveApi(t, () => ({ body: { matched: 7, done: 0, skipped: 0 } }))
  const { code, stdout } = await run(['cancel', '--all', '--dry-run', '--url', url, '--no-json'])
  t.equal(code, 0)
  t.equal(stdout, '7 matched, 0 done, 0 skipped\n')
  t.strictSame(asked[0]?.body, { filter: {}, dryRun: true, limit: 1_000 })
  t.equal(asked[0]?.what, 'POST /cancel')
  const wrong: [string[], RegExp][] = [
    [['cancel'], /Say which/],
    [['redrive', '--dry-run'], /Say which/],
    [['redrive', idOf(1), '--all'], /do not go with ids/],
    [['redrive', idOf(1), '--state', 'failed'], /do not go with ids/],
    [['redrive', idOf(1), '--rate', '1'], /do not go with ids/],
    [['cancel', idOf(1), '--dry-run'], /do not go with ids/],
    [['cancel', idOf(1), '--timeout', '61s'], /It is more than a minute/],
    [['cancel', '--all', '--timeout', '1s'], /--timeout goes with ids/],
    [['cancel', '--all', '--rate', '1'], /unknown option '--rate'/],
    [['move'], /missing required argument/],
    [['move', idOf(1), idOf(2)], /too many arguments/],
  ]
  for (const [args, message] of wrong) {
    const { code, stderr } = await run([...args, '--url', url])
    t.equal(code, 2, args.join(' '))
    t.match(stderr, message)
  }
  t.equal(asked.length, 1)
})

t.test('what stops in the middle says how far it came', async (t) => {
  const answers = [
    { body: { matched: 1_000, done: 1_000, skipped: 0, next: 'a' } },
    problem(503, 'stream-unavailable', 'Away.'),
  ]
  const { url } = await serveApi(t, () => answers.shift() ?? { body: {} })
  const { code, stderr, stdout } = await run(['cancel', '--state', 'scheduled', '--url', url])
  t.equal(code, 5)
  t.equal(stdout, '')
  t.equal(stderr, 'It stopped with 1000 matched, 1000 done, 0 skipped.\nAway. (stream-unavailable)\n')
})
