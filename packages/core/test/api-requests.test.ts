import t from 'tap'
import {
  BatchSchema,
  LIMITS,
  PosthasteError,
  parseBatch,
  parseBulkCancel,
  parseBulkRedrive,
  parseMove,
  parseTargetFilter,
} from '../src/index.js'

const NOW = Date.parse('2026-01-01T00:00:00Z')

function errorsOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    if (error instanceof PosthasteError) return error.fields.map(({ code, pointer }) => `${code} ${pointer}`)
    throw error
  }
  return []
}

t.test('a move names a time, or how far ahead it is', async (t) => {
  t.equal(parseMove({ notBefore: '2026-01-02T00:00:00Z' }, NOW), NOW + 86_400_000)
  t.equal(parseMove({ notBefore: '2025-01-01T00:00:00Z' }, NOW), Date.parse('2025-01-01T00:00:00Z'), 'the past is now')
  t.equal(parseMove({ delay: '10m' }, NOW), NOW + 600_000)
  t.equal(parseMove({ delay: '366d' }, NOW), NOW + LIMITS.delayMsMax)
  t.strictSame(
    errorsOf(() => parseMove({}, NOW)),
    ['missing-field /notBefore'],
  )
  t.strictSame(
    errorsOf(() => parseMove({ delay: '367d' }, NOW)),
    ['invalid-duration /delay'],
  )
  t.strictSame(
    errorsOf(() => parseMove([], NOW)),
    ['invalid-field '],
  )
  t.strictSame(errorsOf(() => parseMove({ delay: 5, other: 1 }, NOW)).sort(), [
    'invalid-field /delay',
    'unknown-field /other',
  ])
})

t.test('a batch is a list, whatever its instructions are', async (t) => {
  t.strictSame(parseBatch({ invocations: [1, { target: 'a' }] }), [1, { target: 'a' }])
  t.strictSame(
    errorsOf(() => parseBatch({ invocations: Array(1_001).fill(1) })),
    ['invalid-field /invocations'],
  )
  t.match(BatchSchema.properties.invocations, { minItems: 1, maxItems: LIMITS.batchInvocationsMax })
})

t.test('a bulk request is of all that can be meant, unless it says less', async (t) => {
  t.strictSame(parseBulkRedrive({ filter: {} }), {
    filter: { states: ['failed', 'expired'] },
    isDryRun: false,
    limit: LIMITS.bulkInvocationsMax,
  })
  t.strictSame(parseBulkCancel({ filter: {} }).filter.states, ['scheduled', 'queued', 'running', 'retrying'])
  const filter = {
    state: ['failed', 'failed'],
    target: 'https://a.example.com',
    correlationId: 'a',
    createdAfter: '2026-01-01T00:00:00Z',
    createdBefore: '2026-01-02T00:00:00Z',
  }
  t.strictSame(parseBulkRedrive({ filter, rate: 10, dryRun: true, limit: 5, cursor: 'c' }), {
    filter: {
      states: ['failed'],
      target: 'https://a.example.com',
      correlationId: 'a',
      createdAfterMs: NOW,
      createdBeforeMs: NOW + 86_400_000,
    },
    isDryRun: true,
    limit: 5,
    cursor: 'c',
    rate: 10,
  })
})

t.test('who forgets the filter of a bulk request does not mean all', async (t) => {
  for (const parse of [parseBulkCancel, parseBulkRedrive]) {
    t.strictSame(
      errorsOf(() => parse({})),
      ['missing-field /filter'],
    )
    t.strictSame(
      errorsOf(() => parse({ filter: null })),
      ['invalid-field /filter'],
    )
    t.strictSame(
      errorsOf(() => parse({ filter: { target: 'a', createdAfter: 'b', createdBefore: 'c' } })),
      ['invalid-url /filter/target', 'invalid-time /filter/createdAfter', 'invalid-time /filter/createdBefore'],
    )
  }
  t.strictSame(
    errorsOf(() => parseBulkCancel({ filter: { state: ['failed'] } })),
    ['invalid-field /filter/state/0'],
  )
})

t.test('a target is looked for as it is called, or by its origin alone', async (t) => {
  const found: Record<string, string | undefined> = {
    'https://a.example.com': 'https://a.example.com',
    'HTTPS://A.example.com:443': 'https://a.example.com',
    'http://a.example.com:8080': 'http://a.example.com:8080',
    'https://a.example.com/': 'https://a.example.com/',
    'https://a.example.com/b?c=d': 'https://a.example.com/b?c=d',
    'https://a.example.com?c=d': 'https://a.example.com/?c=d',
    'function://Resize': 'function://Resize',
    'function://Resize/b?c': 'function://Resize/b?c',
    '/b': undefined,
    'ftp://a.example.com': undefined,
    'https://a:b@c.example.com': undefined,
  }
  for (const [text, target] of Object.entries(found)) t.equal(parseTargetFilter(text), target, text)
})
