import t from 'tap'
import { Compile } from 'typebox/schema'
import { InstructionSchema, PosthasteError, parseBatch, parseInstruction } from '../src/index.js'
import { schemaErrors } from '../src/schema-errors.js'

const target = 'http://127.0.0.1/'
const many = <T>(count: number, value: T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, value]))

function faultsOf(parse: () => unknown): PosthasteError {
  try {
    parse()
  } catch (error) {
    if (error instanceof PosthasteError) return error
    throw error
  }
  throw new Error('Nothing is wrong with it.')
}

const instruction = (input: object) => faultsOf(() => parseInstruction({ target, ...input }, 0))

t.test('of what is long the beginning is enough to say what is wrong', async (t) => {
  t.match(instruction(many(10_000, 0)).fields, [{ pointer: '/x0', code: 'unknown-field' }])
  t.match(instruction({ query: many(201, 'a') }).fields, [{ pointer: '/query', code: 'invalid-field' }])
  t.match(instruction({ query: many(10_000, 'a') }).fields, [{ pointer: '/query', code: 'invalid-field' }])
  for (const count of [1_001, 100_000]) {
    const { fields } = faultsOf(() => parseBatch({ invocations: Array(count).fill({ target }) }))
    t.match(fields, [{ pointer: '/invocations', code: 'invalid-field' }], `${count} instructions`)
  }
})

t.test('what is wrong far behind it is wrong all the same', async (t) => {
  for (const headers of [{ ...many(10_000, 'a'), last: 1 }, { list: [...Array(10_000).fill('a'), 1] }]) {
    t.match(instruction({ headers }), { code: 'invalid-field', fields: [{ pointer: '' }] })
  }
})

t.test('no more of it is looked at, however much there is', async (t) => {
  const schema = Compile(InstructionSchema)
  const lengths: number[] = []
  const watched = {
    Errors: (value: unknown) => {
      const { headers, query } = value as { headers: { list: string[] }; query: object }
      lengths.push(headers.list.length, Object.keys(query).length)
      return schema.Errors(value)
    },
  }
  const input = { target, headers: { list: Array(100_000).fill('a') }, query: many(100_000, 'a') }
  t.match(schemaErrors(watched, input), [{ pointer: '/query' }])
  t.strictSame(lengths, [1_001, 201])
})
