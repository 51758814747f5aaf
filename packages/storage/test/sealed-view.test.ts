import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Directive, encodeCall, encodeClaim, Sealer, type SealingKey } from '@posthaste/core'
import t from 'tap'
import { Environment, type InvocationView } from '../src/index.js'
import { valueTable } from '../src/view/sealed-table.js'
import { makeDirectory } from './directory.js'
import {
  answered,
  callOf,
  FAILED,
  Feeder,
  MINUTE_MS,
  NOW_MS,
  onCalls,
  onControl,
  onJournal,
  openView,
} from './view-harness.js'

const MARK = 'what nobody is to read'
const [a, b] = ['a', 'b'].map((id, index): SealingKey => ({ id, bytes: new Uint8Array(32).fill(index) })) as [
  SealingKey,
  SealingKey,
]

const call = (id: string) => callOf(id, { headers: { 'x-a': MARK }, body: Buffer.from(MARK) })
const directive: Directive = {
  ...{ id: 'moved', generation: 1, attempt: 1, kind: 'move', number: 1, isDone: false },
  ...{
    askedAtMs: NOW_MS,
    dueMs: NOW_MS + MINUTE_MS,
    untilMs: NOW_MS + MINUTE_MS,
    record: encodeCall(call('going-on')),
  },
}

/** Something in each table. */
async function fill(view: InvocationView): Promise<void> {
  await view.prepare()
  const dead = call('dead')
  await new Feeder(view).apply({
    calls: [onCalls(dead), onCalls(call('going-on'))],
    journal: [onJournal(dead, { state: 'failed', failure: FAILED, record: encodeCall(dead) }, answered(500, MARK))],
    control: [onControl(directive)],
    claims: [{ key: 'key', value: encodeClaim({ id: 'dead', payload: 'p', record: encodeCall(dead) }) }],
  })
}

/** What is in each of them. */
function contentOf(view: InvocationView): unknown[] {
  const { items } = view.list({ limit: 10 })
  const [response, letter, waiting] = [view.response('dead'), view.deadLetter('dead'), view.waiting('going-on')]
  return [items, response?.body, letter?.record, waiting?.record, view.directive('moved'), view.claim('key')].map(plain)
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const fileOf = (directory: string): Buffer => readFileSync(join(directory, 'view.lmdb'))

t.test('a sealed view shows the same, and its file nothing', async (t) => {
  const [open, sealed] = [openView(t), openView(t, {}, undefined, new Sealer([a]))]
  for (const { view } of [open, sealed]) await fill(view)
  t.strictSame(contentOf(sealed.view), contentOf(open.view))
  t.match(JSON.stringify(contentOf(open.view)), MARK)
  for (const { close } of [open, sealed]) await close()
  t.ok(fileOf(open.directory).includes(MARK))
  t.notOk(fileOf(sealed.directory).includes(MARK))
})

t.test('it is opened with its key, and not without any', async (t) => {
  const directory = makeDirectory()
  const first = openView(t, {}, directory, new Sealer([a]))
  await fill(first.view)
  const before = contentOf(first.view)
  await first.close()
  t.throws(() => openView(t, {}, directory), { code: 'invalid-configuration' })
  const changed = openView(t, {}, directory, new Sealer([b, a]))
  t.strictSame(contentOf(changed.view), before)
  await changed.close()
  const without = openView(t, {}, directory, new Sealer([b]))
  t.throws(() => without.view.get('dead'), { code: 'sealed' })
  t.equal(without.view.get('unknown'), undefined)
})

t.test('what stands in a view before there are keys is shown as it is', async (t) => {
  const directory = makeDirectory()
  const first = openView(t, {}, directory)
  await fill(first.view)
  const before = contentOf(first.view)
  await first.close()
  const sealed = openView(t, {}, directory, new Sealer([a]))
  await sealed.view.prepare()
  t.strictSame(contentOf(sealed.view), before)
})

t.test('a value that cannot be opened is not passed over', async (t) => {
  const { view } = openView(t)
  await view.prepare()
  const told = onCalls(call('a'))
  const value = new Sealer([a]).seal(told.value, 'calls a')
  await t.rejects(new Feeder(view).apply({ calls: [{ ...told, value }] }), { code: 'sealed' })
  t.equal(view.position('calls'), undefined)
})

t.test('who has no keys takes what another seals for nothing else', async (t) => {
  const environment = new Environment({ directory: makeDirectory(), reserveBytes: 0 })
  t.teardown(() => environment.close())
  const table = environment.byteTable('rows')
  const [sealed, plain] = [valueTable(table, 'rows', new Sealer([a])), valueTable(table, 'rows', undefined)]
  const [one, other] = [Buffer.from('one'), Buffer.from('other')]
  await environment.commit(() => {
    sealed.putSync(one, Buffer.from(MARK))
    plain.putSync(other, Buffer.from(MARK))
  })
  t.equal(`${sealed.get(one)}`, MARK)
  t.throws(() => plain.get(one), { code: 'sealed' })
  t.equal(`${plain.get(other)}`, MARK)
})

t.test('a row that is put in the place of another is not opened', async (t) => {
  const environment = new Environment({ directory: makeDirectory(), reserveBytes: 0 })
  t.teardown(() => environment.close())
  const table = environment.byteTable('rows')
  const rows = valueTable(table, 'rows', new Sealer([a]))
  const [one, other] = [Buffer.from('one'), Buffer.from('other')]
  await environment.commit(() => {
    rows.putSync(one, Buffer.from(MARK))
    table.putSync(other, table.get(one) as Buffer)
  })
  t.throws(() => rows.get(other), { code: 'sealed' })
  t.throws(() => valueTable(table, 'responses', new Sealer([a])).get(one), { code: 'sealed' })
})
