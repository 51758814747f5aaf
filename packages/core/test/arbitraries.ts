import fc from 'fast-check'
import {
  CALL_ERRORS,
  type Call,
  type Claim,
  DESTINATION_FORMATS,
  type Directive,
  type JournalEntry,
  type RetryPolicy,
} from '../src/index.js'

export const NOW_MS = Date.parse('2026-06-01T12:00:00Z')
export const DAY_MS = 86_400_000

/** Any text, lone surrogates included. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
)

/** Text that has once been, or may well become, somebody's bug. */
export const hostileText = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'a\nb',
  '\r\nx: y',
  '\0',
  '\ud800',
  '\u212aeep-alive',
  "'",
  '%',
  '',
  ' ',
  '..',
  '0ms',
  'P',
  '9999-12-31T23:59:59-23:59',
  'http://@host',
  '1e999',
)

/** JSON as JSON.parse returns it, own `__proto__` keys included. */
export const anyJson = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(anyText, hostileText, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(fc.oneof(anyText, hostileText), tie('value')), { maxLength: 4 }).map((entries) => {
        const object = {}
        for (const [name, value] of entries)
          Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
        return object
      }),
    ),
  }))
  .value.map((value): unknown => JSON.parse(JSON.stringify(value)))

const bytesOf = (maxLength: number) =>
  fc.oneof(
    fc.uint8Array({ maxLength }),
    // What a reader of lines and JSON may stumble over.
    fc
      .array(fc.constantFrom(0x0a, 0x0d, 0x00, 0x22, 0x7b, 0x7d, 0xff), { maxLength: 8 })
      .map((b) => Uint8Array.from(b)),
  )
export const anyBytes = bytesOf(64)

const url = fc
  .oneof(
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.constantFrom(
      'http://h',
      'https://[::1]:8443/?',
      "http://h/a'b?c'd",
      'HTTP://EXAMPLE.com:80/ä?ü#x',
      'http://h/^|`{}',
    ),
  )
  .filter((text) => text.length < 500)
const calledUrl = fc.oneof(
  url.map((text) => {
    const parsed = new URL(text)
    parsed.hash = ''
    return parsed.href
  }),
  fc.constantFrom('function://resize/', 'function://Fn.ns/a%20b?c=d'),
)
const template = fc.constantFrom('', 'a', '{id}', '{{', 'é{status|503}"')
const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH')
const latin1 = fc.array(fc.constantFrom(...'\t az09"\\,=é\u0080ÿ'), { maxLength: 6 }).map((letters) => letters.join(''))
const headerValue = fc.oneof(latin1, fc.array(latin1, { minLength: 1, maxLength: 3 }))
const headerName = fc.constantFrom('x-a', 'x-b', 'content-type', 'accept', '__proto__', 'constructor', "!#$%&'*+.^_`|~")
const headers = fc.dictionary(headerName, headerValue, { maxKeys: 4 })
const forwardWith = {
  headers: fc.dictionary(headerName, template, { maxKeys: 3 }),
  passHeaders: fc.boolean(),
}
const correlationId = fc.constantFrom('order-42', 'a b', '"\\', '~'.repeat(256))
const queryValue = fc.oneof(
  anyText,
  hostileText,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
)
const query = fc.dictionary(
  fc.oneof(anyText, hostileText),
  fc.oneof(queryValue, fc.array(queryValue, { maxLength: 3 })),
  {
    maxKeys: 4,
  },
)
const instant = (minDays: number, maxDays: number) =>
  fc.integer({ min: NOW_MS + minDays * DAY_MS, max: NOW_MS + maxDays * DAY_MS })

const base64 = anyBytes.map((bytes) => Buffer.from(bytes).toString('base64'))
const bodyFields = fc.oneof(
  fc.constant({}),
  fc.record({ body: anyJson }),
  fc.record({ body: anyJson, bodyEncoding: fc.constant('json') }),
  fc.record({ body: anyText, bodyEncoding: fc.constant('text') }),
  fc.record({ body: base64, bodyEncoding: fc.constant('base64') }),
)
const isoOf = (ms: fc.Arbitrary<number>) => ms.map((value) => new Date(value).toISOString())
const beginFields = fc.oneof(
  fc.constant({}),
  fc.record({ notBefore: isoOf(instant(-10, 100)) }),
  fc.record({ delay: fc.constantFrom('0s', '250ms', '1.5h', 'PT10M', 'P1W', '100d') }),
)
const endFields = fc.oneof(
  fc.constant({}),
  fc.record({ expiresAt: isoOf(instant(101, 366)) }),
  fc.record({ expiresIn: fc.constantFrom('101d', '366d') }),
)
const retryFields = fc.record(
  {
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    initialDelay: fc.constantFrom('0ms', '1s', '7d'),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    maxDelay: fc.constantFrom('0ms', '5m', 'P7D'),
    jitter: fc.constantFrom('none', 'equal', 'full'),
    maxAge: fc.constantFrom('1ms', '1d', '366d'),
    statuses: fc.array(fc.constantFrom<string | number>(300, 599, '429', '5xx', '4xx', '502-599', '3xx-4xx')),
    errors: fc.subarray([...CALL_ERRORS]),
  },
  { requiredKeys: [] },
)
const destination = fc.oneof(
  url,
  fc.record({ url, format: fc.constantFrom(...DESTINATION_FORMATS) }, { requiredKeys: ['url'] }),
)

/** Instructions that must be accepted at NOW_MS. */
export const validInstruction = fc
  .tuple(
    fc.record(
      {
        target: url,
        method,
        headers,
        query,
        forwardTo: fc.oneof(url, fc.record({ url, ...forwardWith }, { requiredKeys: ['url'] })),
        onSuccess: destination,
        onFailure: destination,
        correlationId,
        timeout: fc.constantFrom('1ms', '1h'),
        retry: retryFields,
      },
      { requiredKeys: ['target'] },
    ),
    bodyFields,
    beginFields,
    endFields,
    fc.option(fc.constant({ function: 'Fn.ns', path: '?a=b' })),
  )
  .map(
    ([{ target, ...fields }, body, begin, end, named]): Record<string, unknown> => ({
      ...{ ...(named ?? { target }), ...fields },
      ...{ ...body, ...begin, ...end },
    }),
  )

/** Valid instructions of which one or two fields were replaced by something else. */
export const nearlyValidInstruction = fc
  .tuple(
    validInstruction,
    fc.array(
      fc.tuple(
        fc.oneof(
          fc.constantFrom('target', 'method', 'headers', 'query', 'body', 'bodyEncoding', 'forwardTo', 'correlationId'),
          fc.constantFrom('notBefore', 'delay', 'timeout', 'expiresAt', 'expiresIn', 'retry', 'extra', '__proto__'),
          fc.constantFrom('onSuccess', 'onFailure', 'function', 'path', 'forwardWith'),
        ),
        fc.oneof(anyJson, hostileText, fc.dictionary(fc.oneof(headerName, hostileText), anyJson, { maxKeys: 3 })),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  )
  .map(([instruction, changes]): unknown => {
    const changed = { ...instruction }
    for (const [name, value] of changes)
      Object.defineProperty(changed, name, { value, enumerable: true, writable: true, configurable: true })
    return changed
  })

const id = fc.oneof(fc.uuid({ version: 7 }), fc.constantFrom('a', 'order:42', `z${'~'.repeat(127)}`))
const policy = fc.record<Partial<RetryPolicy>>(
  {
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    initialDelayMs: fc.integer({ min: 0, max: 7 * DAY_MS }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    maxDelayMs: fc.integer({ min: 0, max: 7 * DAY_MS }),
    jitter: fc.constantFrom('none', 'equal', 'full'),
    maxAgeMs: fc.integer({ min: 1, max: 366 * DAY_MS }),
    statuses: fc.array(fc.constantFrom('429', '5xx', '502-599')),
    errors: fc.subarray([...CALL_ERRORS]),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Partial<RetryPolicy>>
const calledDestination = fc.record({ url: calledUrl, format: fc.constantFrom(...DESTINATION_FORMATS) })

const tenant = fc.stringMatching(/^[A-Za-z0-9._:@-]{1,64}$/)

const anyCall = fc.record(
  {
    id,
    generation: fc.integer({ min: 1, max: 1_000_000 }),
    attempt: fc.integer({ min: 1, max: 100 }),
    acceptedAtMs: instant(-400, 0),
    parent: id,
    tenant,
    move: fc.maxSafeNat(),
    depth: fc.integer({ min: 0, max: 8 }),
    target: calledUrl,
    method,
    headers: fc.dictionary(fc.oneof(headerName, fc.constant('posthaste-state')), headerValue, { maxKeys: 4 }),
    body: bytesOf(200),
    forwardTo: calledUrl,
    onSuccess: calledDestination,
    onFailure: calledDestination,
    answered: fc.integer({ min: 1, max: 100 }),
    sinceMs: instant(-400, 0),
    correlationId,
    notBeforeMs: instant(-10, 100),
    expiresAtMs: instant(101, 366),
    timeoutMs: fc.integer({ min: 1, max: 3_600_000 }),
    retry: policy,
  },
  { requiredKeys: ['id', 'generation', 'attempt', 'acceptedAtMs', 'depth', 'target', 'method', 'headers', 'body'] },
) as fc.Arbitrary<Call>

const forwarding = fc.record(
  { headers: forwardWith.headers, passHeaders: fc.constant(true) },
  { requiredKeys: ['headers'] },
)

/** Calls that a stream may hold at NOW_MS. */
export const validCall = fc.tuple(anyCall, fc.option(forwarding)).map(([call, forwardWith]): Call => {
  const isWith = forwardWith && call.forwardTo !== undefined
  return isWith ? ({ ...call, forwardWith } as Call) : call
})

const child = fc.oneof(fc.record({ id }), fc.record({ refused: fc.constant('depth-exceeded') }))

/** Journal entries as a listener may write them. */
export const validJournalEntry = fc.record(
  {
    id,
    generation: fc.integer({ min: 1, max: 1_000_000 }),
    attempt: fc.integer({ min: 1, max: 100 }),
    atMs: instant(0, 1),
    state: fc.constantFrom('scheduled', 'running', 'retrying', 'succeeded', 'failed', 'expired', 'cancelled'),
    acceptedAtMs: instant(-400, 0),
    tick: fc.record(
      { did: fc.constantFrom('waited', 'fired', 'paused'), afterMs: instant(-400, 0), firedMs: instant(-400, 0) },
      { requiredKeys: ['did', 'afterMs'] },
    ),
    target: calledUrl,
    method,
    correlationId,
    parent: id,
    tenant,
    startedAtMs: instant(0, 1),
    durationMs: fc.double({ min: 0, max: 1e7, noNaN: true }).map((ms) => ms + 0),
    listener: anyText,
    failure: fc.record({ code: fc.constantFrom('status', 'timeout'), detail: anyText }),
    nextAttemptAtMs: instant(0, 7),
    sinceMs: instant(-400, 0),
    answered: fc.integer({ min: 1, max: 100 }),
    forward: child,
    destination: child,
    response: fc.record({ status: fc.integer({ min: 200, max: 599 }), headers, bodyBytes: fc.nat() }),
    responseBody: anyBytes,
    record: anyBytes,
  },
  { requiredKeys: ['id', 'generation', 'attempt', 'atMs', 'state', 'acceptedAtMs', 'responseBody', 'record'] },
) as fc.Arbitrary<JournalEntry>

/** Directives as accepters and listeners may write them. */
export const validDirective = fc.record(
  {
    id,
    tenant,
    generation: fc.integer({ min: 1, max: 1_000_000 }),
    attempt: fc.integer({ min: 1, max: 100 }),
    kind: fc.constantFrom('cancel', 'move', 'pause', 'resume'),
    number: fc.maxSafeNat(),
    askedAtMs: instant(0, 1),
    dueMs: instant(0, 366),
    isDone: fc.boolean(),
    tooLate: fc.maxSafeNat(),
    untilMs: instant(0, 400),
    record: anyBytes,
  },
  {
    requiredKeys: ['id', 'generation', 'attempt', 'kind', 'number', 'askedAtMs', 'isDone', 'untilMs', 'record'],
  },
) as fc.Arbitrary<Directive>

export const validClaim: fc.Arbitrary<Claim> = fc.record({ id, payload: anyText, record: anyBytes })

/** The same value with plain prototypes and Buffers as bodies, for comparing: only what it says counts. */
export function plain(value: object): unknown {
  return Object.entries(value)
    .map(([name, member]) => [name, plainMember(member)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

function plainMember(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plainMember)
  return typeof value === 'object' && value !== null ? plain(value) : value
}
