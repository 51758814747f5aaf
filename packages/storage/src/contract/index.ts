import type { OffsetRange } from '@posthaste/core'
import { type Checkpoint, type CheckpointStore, NEW_CHECKPOINT } from '../checkpoint-store.js'
import type { ContractTest } from './contract-test.js'

export type { ContractTest } from './contract-test.js'

/** How the suite gets hold of a checkpoint store. */
export interface CheckpointStoreHarness {
  /** Makes storage that nobody has used. */
  create(): Promise<CheckpointStorage>
}

export interface CheckpointStorage {
  /** A store on it. Two of them are as good as two processes. */
  open(): Promise<CheckpointStore>
  /** Closes every store and what lies below them, as a restart would; `open` is good again afterwards. */
  close(): Promise<void>
  /** Removes the storage, after a close. */
  destroy(): Promise<void>
}

const CLAIMS = 20

/** What every checkpoint store must keep. `t` is tap's. */
export function checkpointStoreContract(t: ContractTest, harness: CheckpointStoreHarness): void {
  t.test('a partition that nobody touched has an untouched checkpoint', async (t) => {
    const { store } = await open(t, harness)
    t.strictSame(await store.read('a'), NEW_CHECKPOINT)
    const { epoch, checkpoint } = await store.claim('a')
    t.ok(epoch > 0)
    t.strictSame(checkpoint, NEW_CHECKPOINT)
    t.strictSame(await store.read('a'), NEW_CHECKPOINT, 'claiming saves nothing')
  })

  t.test('epochs rise, whoever claims', async (t) => {
    const { store, other } = await open(t, harness)
    const epochs: number[] = []
    for (const each of [store, other, other, store]) epochs.push((await each.claim('a')).epoch)
    t.ok(
      epochs.every((epoch, index) => index === 0 || epoch > (epochs[index - 1] ?? epoch)),
      String(epochs),
    )

    const claims = Array.from({ length: CLAIMS }, (_, index) => (index % 2 === 0 ? store : other).claim('a'))
    const atOnce = (await Promise.all(claims)).map(({ epoch }) => epoch)
    t.equal(new Set([...epochs, ...atOnce]).size, epochs.length + CLAIMS, 'no epoch is given twice')
    t.ok(Math.min(...atOnce) > Math.max(...epochs))
    t.equal(await store.save('a', Math.max(...atOnce), checkpointAt(1)), 'saved', 'the last one may save')
  })

  t.test('what is saved is what is read and claimed', async (t) => {
    const { store, other } = await open(t, harness)
    const { epoch } = await store.claim('a')
    for (const checkpoint of [checkpointAt(7), checkpointAt(2 ** 40, 10_000), checkpointAt(9), NEW_CHECKPOINT]) {
      t.equal(await store.save('a', epoch, checkpoint), 'saved')
      t.strictSame(await store.read('a'), checkpoint)
      t.strictSame(await other.read('a'), checkpoint)
    }
    await store.save('a', epoch, checkpointAt(11, 100))
    const claim = await other.claim('a')
    t.strictSame(claim.checkpoint, checkpointAt(11, 100))
    t.strictSame(await store.read('a'), checkpointAt(11, 100))
  })

  t.test('whoever claimed earlier is refused and changes nothing', async (t) => {
    const { store, other } = await open(t, harness)
    const old = await store.claim('a')
    t.equal(await store.save('a', old.epoch, checkpointAt(5)), 'saved')
    const current = await other.claim('a')
    t.equal(await store.save('a', old.epoch, checkpointAt(6)), 'refused')
    t.strictSame(await other.read('a'), checkpointAt(5))
    t.equal(await other.save('a', current.epoch, checkpointAt(7)), 'saved')
    t.equal(await store.save('a', old.epoch, checkpointAt(8)), 'refused', 'also after the new one saved')
    t.equal(await store.save('a', current.epoch + 1, checkpointAt(8)), 'refused', 'an epoch that nobody claimed')
    t.strictSame(await store.read('a'), checkpointAt(7))
    t.equal(await store.save('untouched', 1, checkpointAt(8)), 'refused', 'a key that nobody claimed')
    t.strictSame(await store.read('untouched'), NEW_CHECKPOINT)
  })

  t.test('claims and saves at one time end with the last owner', async (t) => {
    const { store, other } = await open(t, harness)
    const saved: { epoch: number; offset: number }[] = []
    const own = async (each: CheckpointStore, offset: number): Promise<void> => {
      const { epoch } = await each.claim('a')
      if ((await each.save('a', epoch, checkpointAt(offset))) === 'saved') saved.push({ epoch, offset })
    }
    await Promise.all(Array.from({ length: CLAIMS }, (_, index) => own(index % 2 === 0 ? store : other, index + 1)))
    const last = saved.reduce((a, b) => (a.epoch > b.epoch ? a : b))
    t.strictSame(await store.read('a'), checkpointAt(last.offset))
  })

  t.test('keys have nothing to do with each other', async (t) => {
    const { store, other } = await open(t, harness)
    const keys = ['group/0', 'group/1', 'group/10', 'Group/0', 'grüppe/0']
    const claims = await Promise.all(keys.map((key) => store.claim(key)))
    for (const [index, key] of keys.entries()) await store.save(key, claims[index]?.epoch ?? 0, checkpointAt(index + 1))
    const { epoch } = await other.claim('group/0')
    t.equal(await other.save('group/0', epoch, checkpointAt(99)), 'saved')
    t.strictSame(await Promise.all(keys.map(async (key) => (await store.read(key)).offset)), [
      99,
      ...keys.slice(1).map((_, index) => index + 2),
    ])
    t.equal(await store.save('group/1', claims[1]?.epoch ?? 0, checkpointAt(3)), 'saved', 'its owner is still one')
  })

  t.test('it all outlives a restart', async (t) => {
    const { storage, store } = await open(t, harness)
    const { epoch } = await store.claim('a')
    await store.save('a', epoch, checkpointAt(5, 50))
    const current = await store.claim('a')
    await storage.close()

    const after = await storage.open()
    t.strictSame(await after.read('a'), checkpointAt(5, 50))
    t.equal(await after.save('a', epoch, checkpointAt(6)), 'refused', 'who was fenced stays so')
    t.equal(await after.save('a', current.epoch, checkpointAt(7)), 'saved')
    const next = await after.claim('a')
    t.ok(next.epoch > current.epoch)
    t.strictSame(next.checkpoint, checkpointAt(7))
  })
}

interface Opened {
  readonly storage: CheckpointStorage
  readonly store: CheckpointStore
  readonly other: CheckpointStore
}

async function open(t: ContractTest, harness: CheckpointStoreHarness): Promise<Opened> {
  const storage = await harness.create()
  t.teardown(async () => {
    await storage.close()
    await storage.destroy()
  })
  return { storage, store: await storage.open(), other: await storage.open() }
}

/** A checkpoint that differs from others in all of its parts. */
function checkpointAt(offset: number, ranges = 0): Checkpoint {
  const beyond = Array.from(
    { length: ranges },
    (_, index): OffsetRange => [offset + 2 + index * 3, offset + 3 + index * 3],
  )
  return { offset, beyond, journal: `{"position":${offset}}` }
}
