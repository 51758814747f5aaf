import { setTimeout as sleep } from 'node:timers/promises'
import { decodeCall, LIMITS } from '@posthaste/core'
import type { LogName, NewRecord } from '@posthaste/stream'
import t from 'tap'
import { ask } from './api-client.js'
import { startOne } from './installation.js'
import { JSON_TYPE, Notebook, readCalls, startAccepter, TARGET } from './setting.js'

t.test('each of a batch has a result, in order, and one that is wrong harms no other', async (t) => {
  const { stream, url } = await startOne(t)
  const invocations = [
    { target: TARGET, correlationId: 'first' },
    { target: '/relative' },
    null,
    { target: TARGET, body: 'a'.repeat(20_000) },
    { target: TARGET, delay: '1h' },
    { target: TARGET, traget: 1 },
  ]
  const { json, status } = await ask(url, 'createInvocations', { body: { invocations } })
  t.equal(status, 200)
  t.match(json.results, [
    { status: 202, state: 'queued', correlationId: 'first' },
    { status: 400, problem: { code: 'invalid-url', errors: [{ pointer: '/target' }] } },
    { status: 400, problem: { code: 'invalid-field', errors: [{ pointer: '' }] } },
    { status: 413, problem: { code: 'too-large' } },
    { status: 202, state: 'scheduled', notBefore: /Z$/ },
    { status: 400, problem: { code: 'unknown-field', errors: [{ pointer: '/traget' }] } },
  ])
  t.equal(json.results.length, 6)
  t.strictSame(
    (await readCalls(stream)).map(({ key }) => key),
    [json.results[0].id, json.results[4].id],
  )
  for (const { id } of [json.results[0], json.results[4]])
    t.equal((await ask(url, 'getInvocation', { id })).json.id, id)
})

t.test('a batch is one append, and none if all of it is wrong', async (t) => {
  const notebook = new Notebook()
  const accepted: number[] = []
  let appendMs = Number.POSITIVE_INFINITY
  const invocations = {
    recordBytesMax: 1_024,
    append: async (log: LogName, records: readonly NewRecord[]) => {
      const startedMs = performance.now()
      await sleep(20)
      await notebook.append(log, records)
      appendMs = performance.now() - startedMs
    },
    onAccepted: (durationMs: number, count: number) => {
      t.ok(durationMs >= appendMs - 1, `${durationMs} ms, ${appendMs} of them for the append`)
      accepted.push(count)
    },
  }
  const { url } = await startAccepter(t, { invocations })
  const most = Array.from({ length: LIMITS.batchInvocationsMax }, () => ({ target: TARGET }))
  t.equal((await ask(url, 'createInvocations', { body: { invocations: most } })).status, 200)
  t.equal((await ask(url, 'createInvocations', { body: { invocations: [{ target: 1 }] } })).status, 200)
  await ask(url, 'createInvocation', { body: { target: TARGET } })
  t.strictSame(
    notebook.appends.map((records) => records.length),
    [1_000, 1],
  )
  t.equal(new Set(notebook.appends[0]?.map(({ key }) => key)).size, 1_000)
  t.strictSame(accepted, [1_000, 1], 'and who counts what is accepted hears of it')
})

t.test('what is no batch is refused', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook })
  const wrong: [unknown, string, string][] = [
    [{ target: TARGET }, 'missing-field', '/invocations'],
    [[{ target: TARGET }], 'invalid-field', ''],
    [{ invocations: [] }, 'invalid-field', '/invocations'],
    [{ invocations: Array(1_001).fill({ target: TARGET }) }, 'invalid-field', '/invocations'],
    [{ invocations: [{ target: TARGET }], more: 1 }, 'unknown-field', '/more'],
  ]
  for (const [body, code, pointer] of wrong) {
    const { json, status } = await ask(url, 'createInvocations', { body })
    t.equal(status, 400)
    t.equal(json.code, code)
    t.ok(
      json.errors.some((error: { pointer: string }) => error.pointer === pointer),
      pointer,
    )
  }
  const large = `{"invocations":[{"target":"${TARGET}","body":"${'a'.repeat(LIMITS.batchBytesMax)}"}]}`
  const response = await fetch(`${url}/invocations/batch`, { method: 'POST', headers: JSON_TYPE, body: large })
  t.equal(response.status, 413)
  t.equal(notebook.appends.length, 0)
})

t.test('a batch that a call of ours brought is one link deeper', async (t) => {
  const { stream, url } = await startOne(t)
  const body = { invocations: [{ target: TARGET }] }
  await ask(url, 'createInvocations', { body, headers: { 'posthaste-depth': '2' } })
  const [record] = await readCalls(stream)
  t.equal(record && decodeCall(record.value, record).call.depth, 3)
  const deep = await ask(url, 'createInvocations', { body, headers: { 'posthaste-depth': '8' } })
  t.equal(deep.json.code, 'depth-exceeded')
})
