import t, { type Test } from 'tap'
import { MarkedSite } from './harness/marked-site.js'
import { startMarkedTarget, useAndLook } from './harness/marked-use.js'
import { CONFIGURED, found, mark, SEALED } from './harness/marks.js'
import { kcat, type Producer, plainNats } from './harness/other-producers.js'
import { type Launcher, missingFor, ownKafka, ownNats } from './harness/own-brokers.js'

// Whoever reads the disk of a broker.

const target = await startMarkedTarget(t)

for (const [own, producer] of [
  [ownNats, plainNats],
  [ownKafka, kcat],
] as const) {
  const launcher = { ...own, lacking: own.lacking ?? producer.lacking }
  const options = { skip: missingFor(t, launcher), timeout: 300_000 }
  t.test(`${launcher.name} keeps nothing in the clear but what others write`, options, (t) =>
    check(t, launcher, producer),
  )
}

async function check(t: Test, launcher: Launcher, producer: Producer): Promise<void> {
  const { broker, install } = await launcher.start(t)
  const installation = install()
  const site = new MarkedSite(t, target.url, installation, broker.directory)
  const foreign = { body: mark(), forwardQuery: mark() }
  const path = `/foreign-${launcher.name}`
  const forwardTo = `${target.url}${path}-told?for=${foreign.forwardQuery}`
  const record = { id: `foreign-${launcher.name}`, target: target.url + path, body: foreign.body, forwardTo }
  await useAndLook(t, site, target, 'keys-a', async (client) => {
    await producer.produce(installation, [Buffer.from(JSON.stringify(record))])
    t.match(await client.ended(record.id), { state: 'succeeded' })
    await target.until(({ arrivals }) => arrivals.some((one) => one.path.startsWith(`${path}-told`)), 60_000)
    t.equal(target.arrivals.find((one) => one.path === path)?.body, foreign.body, 'it is called as it is')
  })
  const kept = site.kept()
  t.ok(kept.includes('{"v":2,"sealed":"a"'))
  t.strictSame(found(foreign, kept), Object.keys(foreign), 'so what is not sealed would be found')
  t.strictSame(found(SEALED, kept), [])
  t.notOk(kept.includes(Buffer.from(CONFIGURED.keyA, 'base64')))
}
