import t from 'tap'
import { Type as TypeBox } from 'typebox'
import { Type } from '../src/json-schema.js'

/** A schema in which each kind of field is, plain and with options. */
function build(T: typeof Type) {
  const described = { description: 'It.' }
  return T.Object(
    {
      plain: T.Object({
        a: T.Boolean(),
        b: T.Integer(),
        c: T.Number(),
        d: T.String(),
        e: T.Unknown(),
        f: T.Enum(['x', 'y']),
      }),
      described: T.Object({
        a: T.Optional(T.Boolean(described)),
        b: T.Optional(T.Array(T.Integer({ minimum: 1 }), { maxItems: 2 })),
      }),
      literals: T.Union([T.Literal('a'), T.Literal(1), T.Literal(true)], described),
      byName: T.Optional(T.Record(T.String(), T.Union([T.String(), T.Array(T.String())]))),
      byPattern: T.Record(T.String({ pattern: '[^]?' }), T.Unknown(described), { maxProperties: 3 }),
      byEnum: T.Record(T.Enum(['x', 'y']), T.Number({ minimum: 0 }), described),
      empty: T.Object({}),
    },
    { additionalProperties: false, $id: 'All' },
  )
}

t.test('a schema is the one that TypeBox builds', async (t) => {
  t.equal(JSON.stringify(build(Type), null, 2), JSON.stringify(build(TypeBox), null, 2))
})
