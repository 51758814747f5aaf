import { join } from 'node:path'
import { type Directive, directiveKey, encodeCall, encodeClaim } from '@posthaste/core'
import { open } from 'lmdb'
import t from 'tap'
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

const MARK = 'what is to be gone'

t.test('of what is removed nothing stands in any table any more', async (t) => {
  const { directory, view } = openView(t, { ageMs: MINUTE_MS, claimAgeMs: MINUTE_MS })
  await view.prepare()
  const feeder = new Feeder(view)
  const dead = callOf('dead', { target: `http://a/?q=${MARK}`, headers: { 'x-a': MARK }, body: Buffer.from(MARK) })
  const record = encodeCall(dead)
  const directive: Directive = {
    ...{ id: 'dead', generation: 1, attempt: 1, kind: 'move', number: 1, isDone: true, record },
    ...{ askedAtMs: NOW_MS, dueMs: NOW_MS, untilMs: NOW_MS },
  }
  await feeder.apply({
    calls: [onCalls(dead)],
    journal: [onJournal(dead, { state: 'failed', failure: FAILED, record }, answered(500, MARK))],
    control: [onControl(directive)],
    claims: [{ key: 'key', value: encodeClaim({ id: 'dead', payload: 'p', record }) }],
  })
  t.strictSame(tablesWith(MARK, directory), ['claims', 'directives', 'invocations', 'records', 'responses'])
  await feeder.apply({ control: [{ key: directiveKey(directive), value: new Uint8Array(0) }] })
  while ((await view.applyRetention(NOW_MS + 10 * MINUTE_MS)) > 0);
  t.strictSame(tablesWith(MARK, directory), [])
})

/** The tables of the file in which a text stands. */
function tablesWith(text: string, directory: string): string[] {
  const file = open({ path: join(directory, 'view.lmdb'), readOnly: true, maxDbs: 64 })
  const names = [...file.getKeys()].filter((key) => typeof key === 'string')
  const isIn = (name: string): boolean => {
    const table = file.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })
    return [...table.getRange()].some(({ key, value }) => key.includes(text) || value.includes(text))
  }
  return names.filter(isIn).sort()
}
