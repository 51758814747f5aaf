import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { environmentName, SETTING_KEYS } from '@posthaste/server'
import t from 'tap'
import { createEmbedded } from './harness/embedded-installation.js'
import { Client, MarkedSite } from './harness/marked-site.js'
import { startMarkedTarget, useAndLook } from './harness/marked-use.js'
import { CONFIGURED, CONTENT, CREDENTIALS, found, LOGGED, NOWHERE, SEALED, UNKEPT } from './harness/marks.js'
import { temporaryDirectory } from './harness/temporary-directory.js'

const MAIN = fileURLToPath(new URL('../../packages/cli/dist/src/main.js', import.meta.url))

const target = await startMarkedTarget(t)

t.test('without keys what is sent and answered is kept as it is', async (t) => {
  const site = new MarkedSite(t, target.url, createEmbedded(t))
  await useAndLook(t, site, target, undefined)
  const kept = site.kept()
  // Of a call that has succeeded the body is gone as soon as something else takes its place.
  const { base64Body: _, body: __, card: ___, ...stays } = { ...CREDENTIALS, ...CONTENT, ...LOGGED }
  t.strictSame(found(stays, kept), Object.keys(stays))
  t.strictSame(found({ ...CONFIGURED, ...UNKEPT }, kept), [])
  const told = target.arrivals.filter(({ path }) => /^.(forward|success)/.test(path)).map(({ body }) => body)
  t.equal(told.length, 2)
  for (const body of told) {
    t.match(body, `{"told":"${CONTENT.responseBody}","card":"***"}`)
    t.strictSame(found({ redacted: UNKEPT.redacted, card: CONTENT.card }, body), [])
  }
})

t.test('with keys nothing of it is found, and keys can be changed', async (t) => {
  const site = new MarkedSite(t, target.url, createEmbedded(t))
  const [first = ''] = await useAndLook(t, site, target, 'keys-a')
  const before = site.kept()
  t.strictSame(found(SEALED, before), [])
  t.ok(before.includes('{"v":2,"sealed":"a"'))
  t.notOk(before.includes(Buffer.from(CONFIGURED.keyA, 'base64')))

  await site.run('accepter', 'keys-a', async (posthaste) => {
    await posthaste.ready()
    await new Client(posthaste).post({ target: `${target.url}/late`, body: { a: CONTENT.body } })
  })
  await site.run('listener', 'keys-b', async (posthaste) => {
    const client = new Client(posthaste)
    const reasons = /sealed with the key \\?"a\\?", which is not in POSTHASTE_KEYS/
    let answer = await client.ask('GET', '/readyz')
    for (let left = 600; left > 0 && !reasons.test(answer.text); left -= 1) {
      await sleep(100)
      answer = await client.ask('GET', '/readyz')
    }
    t.match(answer, { status: 503, text: reasons }, 'without its key nothing is passed over')
  })
  t.notOk(target.arrivals.some(({ path }) => path === '/late'))
  await t.rejects(
    site.run('start', undefined, async () => undefined),
    /The view is sealed/,
  )
  await site.run('start', 'keys-b-a', async (posthaste) => {
    await posthaste.ready()
    const client = new Client(posthaste)
    await target.until(({ arrivals }) => arrivals.some(({ path }) => path === '/late'), 60_000)
    t.match(await client.ended(first), { state: 'succeeded', instruction: { headers: { 'x-note': CONTENT.header } } })
    t.match(await client.ask('GET', `/invocations/${first}/response`), {
      status: 200,
      text: `{"told":"${CONTENT.responseBody}","card":"***"}`,
    })
  })
  const kept = site.kept()
  t.ok(kept.includes('{"v":2,"sealed":"b"'))
  t.strictSame(found(SEALED, kept), [])
  t.strictSame(found({ ...NOWHERE, ...CONTENT }, site.said.join('\n')), [])
})

t.test('--help shows no setting that is a secret, and mistakes in it are told without it', async (t) => {
  const secrets = Object.fromEntries(SETTING_KEYS.map((key) => [environmentName(key), UNKEPT.wrongToken]))
  const run = (args: string[], more: Record<string, string>): string => {
    const env = { PATH: process.env.PATH, ...more }
    try {
      return execFileSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8', stdio: 'pipe', timeout: 60_000 })
    } catch (error) {
      const { stderr, stdout } = error as { stdout: string; stderr: string }
      return stdout + stderr
    }
  }
  const help = run(['start', '--help'], secrets)
  t.match(help, /POSTHASTE_KEYS/)
  t.notMatch(help, UNKEPT.wrongToken)
  const file = join(temporaryDirectory(t), 'keys.json')
  writeFileSync(file, JSON.stringify({ keys: [{ id: 'a', key: CONFIGURED.keyA.slice(4) }] }))
  const fault = run(['start'], { POSTHASTE_KEYS: file })
  t.match(fault, /\/keys\/0\/key: This must be 32 random bytes/)
  t.notMatch(fault, CONFIGURED.keyA.slice(4))
})
