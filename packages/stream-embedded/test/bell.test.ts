import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Bell } from '../src/bell.js'

const NEVER_MS = 60_000

t.test('a bell wakes who waits in its own thread, once', async (t) => {
  const bell = new Bell('/one')
  t.teardown(() => bell.close())
  const both = Promise.all([bell.wait(NEVER_MS), bell.wait(NEVER_MS)])
  bell.ring()
  await both
  await bell.wait(1)
  t.pass('and a ring before the wait does not count')
})

t.test('a wait ends with its signal', async (t) => {
  const bell = new Bell('/one')
  t.teardown(() => bell.close())
  const stopping = new AbortController()
  const waiting = bell.wait(NEVER_MS, stopping.signal)
  stopping.abort()
  await waiting
  await bell.wait(NEVER_MS, stopping.signal)
})

t.test('a ring everywhere is heard in the threads that share the directory, and by no others', async (t) => {
  const [same, other] = [new Bell('/shared'), new Bell('/other')]
  t.teardown(() => {
    same.close()
    other.close()
  })
  let isOtherAwake = false
  const stopping = new AbortController()
  const others = other.wait(NEVER_MS, stopping.signal).then(() => {
    isOtherAwake = true
  })
  const waiting = same.wait(NEVER_MS)
  const source = `import(${JSON.stringify(new URL('../src/bell.js', import.meta.url).href)})
    .then(({ Bell }) => { const bell = new Bell('/shared'); bell.ringEverywhere(); bell.close() })`
  await once(new Worker(source, { eval: true }), 'exit')
  await waiting
  t.equal(isOtherAwake, false)
  stopping.abort()
  await others
})
