import type { Call, Log } from '@posthaste/core'
import t from 'tap'
import { acted, cancel } from './asking.js'
import { runOne, startListener, startTarget, submit, until } from './setting.js'

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

function recorder(): { log: Log; lines: Line[] } {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Record<string, unknown> })
  return { log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }, lines }
}

const SECRET = 'hunter2'

t.test('an attempt is one wide line, without what may be secret', async (t) => {
  const target = await startTarget(t, ({ url }, response) => {
    response.setHeader('set-cookie', SECRET).setHeader('x-token', SECRET)
    response.writeHead(url.startsWith('/good') ? 200 : 500).end(SECRET)
  })
  const { log, lines } = recorder()
  const running = await startListener(t, { log, logAttempts: 'all' })
  const secrets = {
    query: { token: SECRET },
    headers: { authorization: `Bearer ${SECRET}`, cookie: SECRET, 'x-key': SECRET },
    body: { password: SECRET },
    correlationId: 'order-42',
  }
  const good = await runOne(running, { target: `${target.url}/good?key=${SECRET}`, ...secrets })
  const bad = await runOne(running, {
    target: `${target.url}/bad`,
    ...secrets,
    retry: { maxAttempts: 2, initialDelay: '1ms' },
  })
  await runOne(running, {
    target: 'http://127.0.0.1:1/none',
    ...secrets,
    forwardTo: `${target.url}/good?key=${SECRET}`,
  })
  t.notMatch(JSON.stringify(lines), SECRET)
  const fields = { correlationId: 'order-42', method: 'POST', generation: 1, durationMs: Number }
  const expected = [
    {
      level: 'info',
      message: 'attempt succeeded',
      fields: { id: good.id, attempt: 1, state: 'succeeded', status: 200 },
    },
    { level: 'warn', message: 'attempt failed', fields: { id: bad.id, attempt: 1, state: 'retrying', status: 500 } },
    { level: 'warn', message: 'attempt failed', fields: { id: bad.id, attempt: 2, state: 'failed', code: 'status' } },
    { level: 'warn', fields: { state: 'failed', code: 'connection-refused', target: 'http://127.0.0.1:1/none' } },
  ]
  for (const [index, line] of expected.entries())
    t.match(lines[index], { ...line, fields: { ...fields, ...line.fields } })
  t.equal(lines[0]?.fields.target, `${target.url}/good`)
})

t.test('attempts that succeed are not logged unless asked for', async (t) => {
  const target = await startTarget(t, ({ url }, response) => response.writeHead(url === '/' ? 200 : 404).end())
  const { log, lines } = recorder()
  const running = await startListener(t, { log, logAttempts: 'failed' })
  await runOne(running, { target: target.url })
  t.equal(lines.length, 0)
  await runOne(running, { target: `${target.url}/none` })
  t.match(lines, [{ level: 'warn', fields: { state: 'failed', status: 404 } }])
})

t.test('an attempt that was cancelled is told of, and is no failure', async (t) => {
  const target = await startTarget(t, () => {})
  const { log, lines } = recorder()
  const { listener, stream } = await startListener(t, { log, logAttempts: 'failed' })
  const [call] = (await submit(stream, [{ target: target.url }])) as [Call]
  await listener.ping('ping', 0)
  await until(() => target.open() === 1)
  await acted(stream, await cancel(stream, call))
  t.match(lines, [{ level: 'info', message: 'attempt cancelled', fields: { id: call.id, state: 'cancelled' } }])
})
