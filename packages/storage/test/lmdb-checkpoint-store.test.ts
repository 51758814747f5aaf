import t from 'tap'
import { checkpointStoreContract } from '../src/contract/index.js'
import { Environment } from '../src/environment.js'
import { LmdbCheckpointStore } from '../src/lmdb-checkpoint-store.js'
import { makeDirectory, removeDirectory } from './directory.js'

checkpointStoreContract(t, {
  create: async () => {
    const directory = makeDirectory()
    let environment: Environment | undefined
    return {
      open: async () => {
        environment ??= new Environment({ directory, reserveBytes: 0 })
        return new LmdbCheckpointStore(environment)
      },
      close: async () => {
        await environment?.close()
        environment = undefined
      },
      destroy: async () => removeDirectory(directory),
    }
  },
})

t.test('a checkpoint can be saved in the transaction of what it speaks of', async (t) => {
  const directory = makeDirectory()
  const environment = new Environment({ directory, reserveBytes: 0 })
  t.teardown(async () => {
    await environment.close()
    removeDirectory(directory)
  })
  const store = new LmdbCheckpointStore(environment)
  const effects = environment.table<number>('effects')
  const { epoch } = await store.claim('a')
  t.equal(store.machines, false)

  const torn = environment.commit(() => {
    store.saveNow('a', epoch, { offset: 1, beyond: [], journal: '' })
    effects.putSync(1, Buffer.from('effect'))
    throw new Error('in the middle')
  })
  await t.rejects(torn, { message: 'in the middle' })
  t.equal((await store.read('a')).offset, 0)
  t.equal(effects.get(1), undefined)

  await environment.commit(() => {
    t.equal(store.isCurrent('a', epoch), true)
    t.equal(store.saveNow('a', epoch, { offset: 2, beyond: [], journal: '' }), 'saved')
    const { epoch: next } = store.claimNow('a')
    t.equal(store.isCurrent('a', epoch), false, 'a claim counts within its transaction')
    t.equal(store.saveNow('a', epoch, { offset: 3, beyond: [], journal: '' }), 'refused')
    t.equal(store.isCurrent('a', next), true)
  })
  t.equal((await store.read('a')).offset, 2)
})
