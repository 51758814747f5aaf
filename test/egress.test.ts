import type { InstructionInput, JournalEntry } from '@posthaste/core'
import t, { type Test } from 'tap'
import { Client } from './harness/client.js'
import {
  asCalled,
  howEnded,
  lackingAddresses,
  missingOf,
  openWatched,
  PLACES,
  startGuarded,
  untilEnded,
} from './harness/egress-setting.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { withStream } from './harness/installation.js'

// What is tried to have called what may not be, wherever a URL can stand and whoever wrote it, on a real process.

t.setTimeout(240_000)

const REBINDINGS = 4

interface Result {
  readonly status: number
  readonly id?: string
  readonly problem?: { readonly code: string }
}

t.test('nothing that is tried is connected to', { skip: lackingAddresses ?? false }, async (t) => {
  const { good, installation, invalid, passes, port, post, rebinding, redirects, refused } = await setUp(t)
  const named = refused.filter((url) => !isKnown(url))
  t.ok(refused.length + invalid.length + rebinding.length + redirects.length > 250)

  for (const [place, instruct] of Object.entries(PLACES)) {
    await t.test(`as ${place}`, async (t) => {
      const results = await postAll(refused.map((url) => instruct(url, good)))
      t.strictSame(results.map(codeOf), refused.map(codeAtTheDoor), 'refused, unless only a look-up tells')
      const unread = await postAll(invalid.map((url) => instruct(url, good)))
      t.strictSame([...new Set(unread.map(codeOf))], ['invalid-url'])
    })
  }

  const schedules = new Set<string>()
  await t.test('as what a schedule calls', async (t) => {
    const urls = [...refused, ...invalid]
    const results = await Promise.all(
      urls.map(async (target) => {
        const { json, status } = await post('/schedules', { instruction: { target }, every: '3s' })
        return status === 201
          ? { status, id: (json as { id: string }).id }
          : { status, problem: json as { code: string } }
      }),
    )
    const expected = [...refused.map(codeAtTheDoor), ...invalid.map(() => 'invalid-url')]
    t.strictSame(results.map(codeOf), expected)
    for (const { id } of results) if (id !== undefined) schedules.add(id)
  })

  await t.test('what a look-up tells, or what stood on the stream, ends at once', async (t) => {
    // Each was put on the stream, and those of a name were taken as well.
    const wanted = [...refused, ...Object.keys(PLACES).flatMap(() => named)].map(asCalled)
    const ends = await untilEnded(installation, (ends) => {
      const parents = new Set(ends.map(({ parent }) => parent))
      const others = ends.filter(({ parent }) => parent === undefined || !schedules.has(parent))
      return [...missingOf(wanted, others), ...[...schedules].filter((id) => !parents.has(id))]
    })
    const told = ends.filter(({ target }) => wanted.includes(target ?? ''))
    t.strictSame([...new Set(told.map(howEnded))], ['failed target-refused'])
    t.equal(ends.filter(({ failure }) => failure?.code === 'record-unreadable').length, invalid.length)
  })

  await t.test('a name that leads elsewhere the next time', async (t) => {
    const targets = Array.from({ length: REBINDINGS }, () => rebinding).flat()
    const ends = await endsOf(targets.map((target) => ({ target })))
    const found = [...new Set(ends.map(howEnded))].sort()
    t.strictSame(found, ['failed target-refused', 'succeeded 200'])
  })

  await t.test('an answer that points elsewhere is the answer', async (t) => {
    const ends = await endsOf(redirects.map((target) => ({ target })))
    for (const { response, target } of ends) t.ok(response, target ?? '')
  })

  await t.test('what may be called is', async (t) => {
    const before = port.requests.length
    const ends = await endsOf(passes.map((target) => ({ target, forwardTo: target, onSuccess: target })))
    t.strictSame([...new Set(ends.map(howEnded))], ['succeeded 200'])
    await port.until(() => port.requests.length >= before + 3 * passes.length)
  })

  t.strictSame([...new Set(port.caught)], [], 'no connection came at an address that may not be called')
  t.ok(port.requests.length > 0)

  async function postAll(invocations: readonly InstructionInput[]): Promise<Result[]> {
    return ((await post('/invocations/batch', { invocations })).json as { results: Result[] }).results
  }

  async function endsOf(invocations: readonly InstructionInput[]): Promise<JournalEntry[]> {
    const ids = (await postAll(invocations)).map(({ id }) => id as string)
    const ends = await untilEnded(installation, (ends) => ids.filter((id) => !ends.some((end) => end.id === id)))
    return ends.filter(({ id }) => ids.includes(id))
  }
})

/** A process that may call one address, on a stream on which somebody else has put all that is to be refused. */
async function setUp(t: Test) {
  const watched = await openWatched(t)
  const installation = createEmbedded(t)
  const records = [...watched.refused, ...watched.invalid].map((target) => ({
    key: '',
    value: Buffer.from(JSON.stringify({ target })),
  }))
  await withStream(installation, (stream) => stream.append('calls', records))
  const posthaste = await startGuarded(t, installation, watched.port)
  const client = new Client({ timeoutMs: 60_000 })
  t.after(() => client.close())
  const post = (path: string, body: object) => client.request(posthaste.url + path, 'POST', JSON.stringify(body))
  return { ...watched, installation, post }
}

/** Whether all that speaks against it is known without a look-up. */
function isKnown(url: string): boolean {
  const { hostname, port } = new URL(asCalled(url))
  return /^\[|^[\d.]+$/.test(hostname) || (port !== '' && Number(port) < 1_024)
}

function codeAtTheDoor(url: string): string {
  return isKnown(url) ? 'target-refused' : 'taken'
}

function codeOf({ problem }: Result): string {
  return problem?.code ?? 'taken'
}
