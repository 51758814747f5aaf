import assert from 'node:assert/strict'
import t from 'tap'
import { callLineOf, encodeCall, maskedHeaders, maskedUrl, peekBearer, readCallLine } from '../src/index.js'
import { NOW_MS, validCall } from './arbitraries.js'
import { holds } from './property.js'

t.test('the first line of a call says whose it is, and all but its body', async (t) => {
  holds(t, 'line', 1_000, validCall, (call) => {
    const record = encodeCall(call)
    assert.deepEqual(peekBearer(record), { id: call.id, generation: call.generation })
    const line = callLineOf(record)
    assert.ok(line)
    assert.equal(line.length + 1 + call.body.length, record.length)
    const read = readCallLine(line)
    assert.ok(read)
    const { bodyBytes, expiresAtMs, headers, notBeforeMs, onFailure, onSuccess, retry, timeoutMs } = read.instruction
    assert.deepEqual(
      [read.method, read.correlationId, read.parent, bodyBytes, Object.keys(headers)],
      [call.method, call.correlationId, call.parent, call.body.length, Object.keys(call.headers)],
    )
    assert.deepEqual({ ...retry }, { ...call.retry })
    assert.deepEqual([onSuccess?.format, onFailure?.format], [call.onSuccess?.format, call.onFailure?.format])
    assert.deepEqual([notBeforeMs, expiresAtMs, timeoutMs], [call.notBeforeMs, call.expiresAtMs, call.timeoutMs])
  })
})

t.test('secrets are not shown', async (t) => {
  const headers = { authorization: 'Bearer a', cookie: ['a', 'b'], 'x-api-key': 'a', 'X-Auth-Token': 'a', accept: 'a' }
  const shown = maskedHeaders(headers)
  t.strictSame(
    { ...shown },
    { authorization: '***', cookie: '***', 'x-api-key': '***', 'X-Auth-Token': '***', accept: 'a' },
  )
  t.equal(
    maskedUrl('https://h/token?a=1&access_token=s3&b=%26#key=x'),
    'https://h/token?a=1&access_token=***&b=%26#key=x',
  )
  t.equal(maskedUrl('https://h/p?signature='), 'https://h/p?signature=***')
  t.equal(maskedUrl('https://h/p?a=key&monkey'), 'https://h/p?a=key&monkey')
  t.equal(maskedUrl('https://h/p?sig=s3&api_sig=s3&design=a'), 'https://h/p?sig=***&api_sig=***&design=a')
  t.strictSame(
    { ...maskedHeaders({ 'X-Authorization': 'a', 'x-auth': 'a', 'set-cookie': 'a', 'x-author': 'a' }) },
    { 'X-Authorization': '***', 'x-auth': '***', 'set-cookie': '***', 'x-author': 'a' },
  )
  const call = {
    id: 'a',
    generation: 1,
    attempt: 1,
    acceptedAtMs: NOW_MS,
    depth: 0,
    method: 'POST',
    body: Buffer.of(1),
  }
  const target = 'http://a/?secret=s3'
  const forwardTo = 'http://b/?password=s3'
  const onFailure = { url: forwardTo, format: 'record' } as const
  const line = callLineOf(encodeCall({ ...call, target, headers, forwardTo, onSuccess: onFailure, onFailure }))
  assert.ok(line)
  t.notMatch(JSON.stringify(readCallLine(line)), /s3|Bearer/)
})

t.test('a record of another producer has no such line', async (t) => {
  const others = [
    '{"target":"http://a/"}',
    '{\n  "v": 1, "id": "a", "target": "http://a/"\n}',
    '{"v":1,"id":"a","target":"http://a/","body":"x"}\n',
    '{"target":"http://a/","bodyBytes":1}\nx',
    '{"v":1,"id":"a","function":"resize","bodyBytes":1}\nx',
    '{"v":1,"id":"a","acceptedAt":"","target":"http://a/","forwardTo":{"url":"http://b/"},"bodyBytes":1}\nx',
    '{"v":1,"id":"a","acceptedAt":"","target":"http://a/","onFailure":"http://b/","bodyBytes":1}\nx',
    '',
  ]
  for (const text of others) t.equal(callLineOf(Buffer.from(text)), undefined, text)
  t.equal(peekBearer(Buffer.from('{"id":"a"}')), undefined)
  t.strictSame(peekBearer(Buffer.from('{"v":1,"id":"a","generation":3,"t')), { id: 'a', generation: 3 })
})
