import { InstructionSchema, PosthasteError } from '@posthaste/core'
import t from 'tap'
import { BY_HEADER, BY_PARAMETER } from '../src/doors/raw-options.js'
import { Saying } from '../src/doors/saying.js'

const SAMPLES: Readonly<Record<string, string>> = {
  string: 'a',
  integer: '3',
  number: '2.5',
  boolean: 'true',
  array: 'a, b',
}

function said(query: Record<string, string>, headers: Record<string, string>): object {
  const saying = new Saying()
  saying.addQuery(new URLSearchParams(query))
  saying.addHeaders(headers)
  return saying.instruction({})
}

t.test('whatever an instruction can say is said by parameter or by header, and not by both in two ways', async (t) => {
  for (const [name, option] of BY_PARAMETER) {
    const [header = ''] = [...BY_HEADER].find(([, one]) => one === option) ?? []
    const { type } = option.schema as { type: string }
    const text = SAMPLES[type] as string
    const [field, member] = option.path
    const value = option.read(text)
    const wanted = { [field]: member === undefined ? value : { [member]: value }, headers: {} }
    for (const instruction of [
      said({ [name]: text }, {}),
      said({}, { [header]: text }),
      said({ [name]: text }, { [header]: text }),
    ])
      t.strictSame(JSON.parse(JSON.stringify(instruction)), wanted, `${name} ${header}`)
    const other = { string: 'b', boolean: 'false', array: 'b' }[type] ?? '4'
    t.throws(() => said({ [name]: text }, { [header]: other }), { code: 'conflicting-fields' }, name)
    t.throws(() => said({ [`${name}x`]: text }, {}), { code: 'unknown-field' })
    t.throws(() => said({}, { [`${header}x`]: text }), { code: 'unknown-field' })
  }
  const fields = [...BY_PARAMETER.values()].map(({ path: [field] }) => field)
  const all = [...fields, 'headers', 'query', 'body', 'bodyEncoding']
  t.strictSame(new Set(all), new Set(Object.keys(InstructionSchema.properties)))
})

t.test('a key is said once', async (t) => {
  const keyOf = (query: Record<string, string>, headers: Record<string, string>): string | undefined => {
    const saying = new Saying()
    saying.addQuery(new URLSearchParams(query))
    saying.addHeaders(headers)
    saying.instruction({})
    return saying.idempotencyKey
  }
  for (const [query, headers] of [
    [{ idempotencyKey: 'a' }, {}],
    [{}, { 'idempotency-key': '"a"' }],
    [{ idempotencyKey: '"a"' }, { 'idempotency-key': 'a' }],
  ] as const)
    t.equal(keyOf(query, headers), 'a')
  t.throws(() => keyOf({ idempotencyKey: 'a' }, { 'idempotency-key': 'b' }), PosthasteError)
})
