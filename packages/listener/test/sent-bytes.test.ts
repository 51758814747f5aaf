import { createId, type JournalEntry } from '@posthaste/core'
import t from 'tap'
import { type RawRequest, startRawTarget, valuesOf } from './raw-target.js'
import { finalStates, startListener } from './setting.js'

// What stands in records is what their producer likes: what leaves is looked at byte by byte.

const PARENT = '01a1fd09-a8ea-7134-910d-b06873c24ce0'
const EVIL = 'x-evil: 1'
/** What a character becomes whose upper byte is cut off: a line break. */
const CUT = '\u010d\u010a'

type Document = Readonly<Record<string, unknown>>

const CONNECTION = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
]
CONNECTION.push('proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade')
const LINE_BREAKS = ['\r\n', '\n', '\r', '\r\n\r\n', CUT, '\u0000', '\u000b', '\u2028', '\ud800']

/** Records that become dead letters. */
const refused: [what: string, document: (url: string) => Document][] = [
  ...CONNECTION.flatMap((name) =>
    [name, name.toUpperCase(), `${name} `, name.replaceAll('-', '_')]
      .filter((one, index, all) => all.indexOf(one) === index)
      .map((one): (typeof refused)[number] => [`header ${one}`, (target) => ({ target, headers: { [one]: 'evil' } })]),
  ),
  ...LINE_BREAKS.flatMap((breaks): typeof refused => {
    const what = Buffer.from(breaks, 'utf16le').toString('hex')
    return [
      [`value ${what}`, (target) => ({ target, headers: { 'x-a': `1${breaks}${EVIL}` } })],
      [`second value ${what}`, (target) => ({ target, headers: { 'x-a': ['1', `1${breaks}${EVIL}`] } })],
      [`name ${what}`, (target) => ({ target, headers: { [`x-a: 1${breaks}x-evil`]: '1' } })],
      [
        `type of the body ${what}`,
        (target) => ({ target, headers: { 'content-type': `a/b${breaks}${EVIL}` }, body: 'a' }),
      ],
      [`key ${what}`, (target) => ({ target, headers: { 'idempotency-key': `1${breaks}${EVIL}` } })],
      [`correlation id ${what}`, (target) => ({ target, correlationId: `1${breaks}${EVIL}` })],
      [`method ${what}`, (target) => ({ target, method: `GET${breaks}${EVIL}` })],
      [`host ${what}`, (target) => ({ target: `${target}${breaks}${EVIL}/` })],
      [`id ${what}`, (target) => ({ target, id: `${PARENT}${breaks}${EVIL}` })],
      [
        `parent ${what}`,
        (target) => ({ target, parent: `${PARENT}${breaks}${EVIL}`, headers: { 'posthaste-id': '1' } }),
      ],
    ]
  }),
  ...['\r\n', '\n', '\t', ' HTTP/1.1\r\nx-evil: 1\r\n\r\n', '\\'].map((text): (typeof refused)[number] => [
    `path ${JSON.stringify(text)}`,
    (target) => ({ target: `${target}/a${text}x-evil: 1` }),
  ]),
  ['a request for a method', (target) => ({ target, method: 'GET / HTTP/1.1' })],
  ['CONNECT', (target) => ({ target, method: 'CONNECT' })],
  ['TRACE', (target) => ({ target, method: 'TRACE' })],
  ['our name, written otherwise', (target) => ({ target, headers: { posthaste_id: 'evil' }, parent: PARENT })],
  ['credentials for a host', (target) => ({ target: target.replace('//', '//evil@') })],
]

/** Records that are called, and what is evil in them is not sent, or is harmless as it is sent. */
const called: [what: string, document: (url: string) => Document, check?: (request: RawRequest) => unknown][] = [
  [
    'a plain one',
    (target) => ({ target, headers: { 'x-a': ['1', '2'] } }),
    (request) => `${valuesOf(request, 'x-a')}` === '1,2',
  ],
  [
    'encoded line breaks in a path',
    (target) => ({ target: `${target}/a%0d%0ax-evil:%201` }),
    ({ startLine }) => startLine.includes('/a%0d%0ax-evil:%201 '),
  ],
  [
    'what is cut to a line break in a path',
    (target) => ({ target: `${target}/a${CUT}${EVIL.replace(' ', '')}` }),
    ({ startLine }) => startLine.includes('/a%C4%8D%C4%8Ax-evil:1 '),
  ],
  [
    'line breaks in a query',
    (target) => ({ target, query: { [`a\r\n${EVIL}`]: `b\r\n${EVIL}${CUT}` } }),
    ({ startLine }) => startLine.includes('/?a%0D%0Ax-evil%3A%201=b%0D%0Ax-evil%3A%201%C4%8D%C4%8A '),
  ],
  ['a second request for a body', (target) => ({ target, body: `\r\n\r\nGET /evil HTTP/1.1\r\n${EVIL}\r\n\r\n` })],
  ['a chunked body that is none', (target) => ({ target, body: '0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n' })],
  [
    'a method of its own',
    (target) => ({ target, method: 'PROPFIND' }),
    ({ startLine }) => startLine === 'PROPFIND / HTTP/1.1',
  ],
  [
    'a path that looks like a host',
    (target) => ({ target: `${target}//evil.example/` }),
    ({ startLine }) => startLine === 'POST //evil.example/ HTTP/1.1',
  ],
  [
    'our names',
    (target) => ({
      target,
      headers: {
        'Posthaste-Id': 'evil',
        'posthaste-attempt': ['8', '9'],
        'posthaste-state': 'evil',
        'posthaste-new': 'evil',
      },
    }),
  ],
  [
    'our names, of what has a parent',
    (target) => ({
      target,
      parent: PARENT,
      headers: {
        'posthaste-id': 'evil',
        'posthaste-attempt': '9',
        'posthaste-depth': '0',
        'posthaste-correlation-id': 'evil',
      },
    }),
    (request) => valuesOf(request, 'posthaste-id')[0] === PARENT,
  ],
  [
    'obs-text',
    (target) => ({ target, headers: { 'x-a': 'caf\u00e9\u0085x-evil: 1' } }),
    (request) => valuesOf(request, 'x-a')[0] === 'caf\u00e9\u0085x-evil: 1',
  ],
]

t.test('what a record says stays where it belongs', async (t) => {
  const target = await startRawTarget(t)
  const { listener, stream } = await startListener(t)
  const ids = called.map(() => createId(Date.now()))
  const documents = [
    ...refused.map(([, document]) => document(target.url)),
    ...called.map(([, document], index) => ({ id: ids[index], ...document(target.url) })),
  ]
  await stream.append(
    'calls',
    documents.map((document, index) => ({ key: `${index}`, value: Buffer.from(JSON.stringify(document)) })),
  )
  await listener.ping('ping', 0)
  const ends = await finalStates(stream, documents.length)

  const letters = ends.filter(({ failure }) => failure?.code === 'record-unreadable')
  for (const [what, document] of refused) t.ok(letters.some(isOf(document(target.url))), `refused: ${what}`)
  t.equal(letters.length, refused.length)
  t.equal(target.requests.length, called.length, 'nothing else came')
  for (const [index, [what, , check = () => true]] of called.entries()) {
    const request = target.requests.find((one) => valuesOf(one, 'idempotency-key')[0] === ids[index]) as RawRequest
    t.strictSame(faultsOf(request, target.url, documents[refused.length + index] as Document), [], what)
    t.ok(check(request), `${what}: ${request?.startLine}`)
  }
})

/** Whether the record in a dead letter is this one. */
function isOf(document: Document): (entry: JournalEntry) => boolean {
  const bytes = Buffer.from(JSON.stringify(document))
  return ({ record }) => bytes.equals(record)
}

/** What is wrong with a request, whatever the record was. */
function faultsOf(request: RawRequest | undefined, url: string, { body = '', id, parent }: Document): string[] {
  if (!request) return ['it did not come']
  const faults: string[] = []
  const expect = (name: string, ...wanted: string[]): void => {
    const values = valuesOf(request, name)
    if (`${values}` !== `${wanted}`) faults.push(`${name}: ${values}`)
  }
  if (!/^[A-Z]+ \/[\x21-\x7e]* HTTP\/1\.1$/.test(request.startLine)) faults.push(request.startLine)
  for (const line of request.headerLines) if (!/^[a-z0-9-]+: ?[\t\x20-\x7e\x80-\xff]*$/i.test(line)) faults.push(line)
  expect('host', new URL(url).host)
  expect('connection', 'keep-alive')
  for (const name of CONNECTION) if (!['connection', 'content-length', 'host'].includes(name)) expect(name)
  if (request.body !== body) faults.push(`the body: ${request.body}`)
  expect('x-evil')
  expect('posthaste-id', `${parent ?? id}`)
  expect('posthaste-attempt', '1')
  expect('posthaste-generation', '1')
  expect('posthaste-depth', '0')
  for (const name of ['posthaste-state', 'posthaste-new', 'posthaste-correlation-id']) expect(name)
  return faults
}

// In answers, each as a server without scruples would write it.
const ANSWERS = {
  'a lone carriage return': 'content-type: text/plain\rx-evil: 1\r\n',
  'a lone line feed': 'content-type: text/plain\nx-evil: 1\r\n',
  'a folded line': 'content-type: text/plain\r\n x-evil: 1\r\n',
  'a null': 'content-type: text/plain\0x-evil: 1\r\n',
  'two of them': 'content-type: text/plain\r\ncontent-type: a/b\r\nx-evil: 1\r\n',
  'headers of ours': 'posthaste-id: evil\r\nposthaste-state: evil\r\nx-evil: 1\r\n',
  'an encoding with a line break': 'content-encoding: a\rx-evil: 1\r\n',
  'a length beside chunks': 'transfer-encoding: chunked\r\nx-evil: 1\r\n',
}

t.test('what a target answers adds nothing to the forward', async (t) => {
  const names = Object.keys(ANSWERS)
  const target = await startRawTarget(t, ({ startLine }) => {
    const [, index] = /^POST \/(\d+) /.exec(startLine) ?? []
    const headers = Object.values(ANSWERS)[Number(index)] ?? ''
    return `HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`
  })
  const { listener, stream } = await startListener(t)
  const records = names.map((_, index) => ({
    target: `${target.url}/${index}`,
    forwardTo: `${target.url}/forward/${index}`,
  }))
  await stream.append(
    'calls',
    records.map((record, index) => ({ key: `${index}`, value: Buffer.from(JSON.stringify(record)) })),
  )
  await listener.ping('ping', 0)
  await finalStates(stream, 2 * names.length)
  for (const [index, name] of names.entries()) {
    const forward = target.requests.find(
      ({ startLine }) => startLine === `POST /forward/${index} HTTP/1.1`,
    ) as RawRequest
    t.strictSame(valuesOf(forward, 'x-evil'), [], name)
    t.notMatch(valuesOf(forward, 'posthaste-id').join(), /evil/)
    t.match(valuesOf(forward, 'posthaste-state').join(), /^(succeeded|failed)$/)
    t.strictSame(
      forward.headerLines.filter((line) => !/^[a-z0-9-]+: ?[\t\x20-\x7e\x80-\xff]*$/i.test(line)),
      [],
    )
  }
})
