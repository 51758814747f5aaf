import t from 'tap'
import {
  type Call,
  type Outcome,
  parseTargetFile,
  redactedBody,
  redactedCall,
  redactedOutcome,
  type TargetResponse,
} from '../src/index.js'

const redacted = (text: string, ...pointers: string[]): string | undefined => {
  const body = redactedBody(Buffer.from(text), pointers)
  return body && Buffer.from(body).toString()
}

t.test('what pointers lead to is blanked', async (t) => {
  const text = '{"card":{"number":"4111","cvc":[1,2]},"a/b":1,"c~d":2,"n":null,"":3}'
  t.equal(redacted(text, '/card/number'), text.replace('"4111"', '"***"'))
  t.equal(redacted(text, '/card/cvc/1', '/a~1b'), text.replace('[1,2]', '[1,"***"]').replace('"a/b":1', '"a/b":"***"'))
  t.equal(redacted(text, '/c~0d', '/'), text.replace('"c~d":2', '"c~d":"***"').replace('"":3', '"":"***"'))
  t.equal(redacted(text, '/card'), text.replace(/\{"number.*?\}/, '"***"'))
  t.equal(redacted(text, '/n'), text.replace('null', '"***"'))
  t.equal(redacted(text, ''), '"***"')
  t.equal(redacted('{"a":"first","a":"last"}', '/a'), '{"a":"***"}', 'also what stands there twice')
  t.equal(redacted('{"__proto__":{"a":1}}', '/__proto__/a'), '{"__proto__":{"a":"***"}}')
  t.equal(redacted('{"__proto__":{"a":1}}', '/__proto__'), '{"__proto__":"***"}')
  t.equal(redacted('[{"a":1}]', '/0/a', '/0'), '["***"]')
})

t.test('what pointers lead nowhere in stays as it is, byte for byte', async (t) => {
  for (const text of ['{ "a" : 1.0 }', '[1]', '"card"', 'null', ''])
    t.equal(redacted(text, '/card', '/card/number', '/0/1', '/length', '/toString', '/-'), text)
})

t.test('what cannot be read is not kept', async (t) => {
  t.equal(redacted('card=4111', '/card'), undefined)
  t.equal(redactedBody(Buffer.from([0x22, 0xff, 0x22]), ['/card']), undefined)
})

const MATCH = 'https://a.example'
const rules = parseTargetFile({ targets: [{ match: MATCH, redact: ['/card'] }] }, () => ({ fault: '' }))
const answered = (body: string, bodyBytes = body.length): Outcome & { response: TargetResponse } => ({
  kind: 'answered',
  startedAtMs: 0,
  durationMs: 0,
  response: { status: 200, headers: {}, body: Buffer.from(body), bodyBytes },
})

t.test('responses of targets with a rule are blanked', async (t) => {
  const shown = (outcome: ReturnType<typeof answered>, target = `${MATCH}/x`) => {
    const { body, bodyBytes } = redactedOutcome(outcome, rules, target).response
    return [Buffer.from(body).toString(), bodyBytes]
  }
  t.strictSame(shown(answered('{"card":12345678}')), ['{"card":"***"}', 14])
  t.strictSame(shown(answered('no JSON')), ['', 7], 'it counts as too large')
  t.strictSame(shown(answered('', 1_000)), ['', 1_000])
  t.strictSame(shown(answered('{"card":1}'), 'https://b.example'), ['{"card":1}', 10])
  const silent: Outcome = { kind: 'unanswered', startedAtMs: 0, durationMs: 0, code: 'timeout', detail: '' }
  t.equal(redactedOutcome(silent, rules, MATCH), silent)
})

t.test('calls of them too, where they are told of', async (t) => {
  const call = { target: `${MATCH}/x`, body: Buffer.from('{"card":1}') } as unknown as Call
  t.equal(Buffer.from(redactedCall(call, rules).body).toString(), '{"card":"***"}')
  t.equal(redactedCall({ ...call, body: Buffer.from('card') }, rules).body.length, 0)
  t.equal(redactedCall(call, []), call)
})
