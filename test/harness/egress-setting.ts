import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type InstructionInput, type JournalEntry, parseInstruction } from '@posthaste/core'
import type { Installation } from './installation.js'
import { isFinal, readJournal } from './journal.js'
import { PosthasteProcess } from './posthaste-process.js'
import { WatchedPort } from './watched-port.js'

const RESOLVER = new URL('./test-resolver.js', import.meta.url).href
const ATTEMPTS = new URL('../../egress-attempts.json', import.meta.url)
/** The only address that may be called. */
const ALLOWED = '127.0.0.9'
const ENDED_MS_MAX = 90_000
const LOOK_MS = 500

/** Where not all of 127.* is loopback there is no such address to be had. */
export const lackingAddresses =
  process.platform === 'linux' ? undefined : 'Linux, where there is more than one address of loopback'

interface Attempts {
  readonly refused: Readonly<Record<string, readonly string[]>>
  readonly invalid: Readonly<Record<string, readonly string[]>>
  readonly rebinding: readonly string[]
  readonly redirects: readonly string[]
  readonly passes: readonly string[]
}

/** Each place of an instruction where a URL can stand. The others are such as may be called. */
export const PLACES = {
  target: (url: string, _: string) => ({ target: url }),
  forwardTo: (url, good) => ({ target: good, forwardTo: url }),
  onSuccess: (url, good) => ({ target: good, onSuccess: url }),
  onFailure: (url, good) => ({ target: `${good}missing`, onFailure: { url, format: 'cloudevents' } }),
} satisfies Readonly<Record<string, (url: string, good: string) => InstructionInput>>

/** A port that is watched, and what is tried to have it called where it may not be. */
export async function openWatched(t: { after(work: () => void): unknown }) {
  const port = await WatchedPort.open(ALLOWED)
  t.after(() => port.close())
  const file = JSON.parse(readFileSync(ATTEMPTS, 'utf8').replaceAll('{port}', String(port.number))) as Attempts
  return {
    ...file,
    port,
    good: `http://${ALLOWED}:${port.number}/`,
    refused: Object.values(file.refused).flat(),
    invalid: Object.values(file.invalid).flat(),
  }
}

/** A process that may call one address, and is told to do so through a proxy that is at another. */
export async function startGuarded(
  t: { after(work: () => void): unknown },
  installation: Installation,
  port: WatchedPort,
): Promise<PosthasteProcess> {
  const proxy = `http://127.0.0.1:${port.number}`
  Object.assign(process.env, { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy })
  const retries = { retryMaxAttempts: '5', retryInitialDelay: '1ms' }
  const posthaste = await PosthasteProcess.start({
    role: 'start',
    settings: { ...installation.settings, ...retries, allowAddresses: ALLOWED },
    nodeArguments: ['--import', RESOLVER],
  })
  t.after(() => posthaste.stop())
  return posthaste
}

/** The final entries of the journal, once none is lacking among them. @throws Error if a refusal was not final */
export async function untilEnded(
  installation: Installation,
  lackingAmong: (ends: readonly JournalEntry[]) => readonly string[],
): Promise<JournalEntry[]> {
  for (const untilMs = performance.now() + ENDED_MS_MAX; ; await sleep(LOOK_MS)) {
    const entries = await readJournal(installation)
    const retried = entries.find(({ failure, state }) => state === 'retrying' && failure?.code === 'target-refused')
    if (retried) throw new Error(`${retried.target} was refused, and is tried again.`)
    const ends = entries.filter(isFinal)
    const lacking = lackingAmong(ends)
    if (lacking.length === 0) return ends
    if (performance.now() > untilMs) throw new Error(`${lacking.length} lack an end: ${lacking.slice(0, 5)}`)
  }
}

/** Those of `wanted` that did not end as often as they stand there. Each as it stands in the record of its call. */
export function missingOf(wanted: readonly string[], ends: readonly JournalEntry[]): string[] {
  const found = countBy(ends.map(({ target }) => target ?? ''))
  return [...countBy(wanted)].filter(([url, count]) => found.get(url) !== count).map(([url]) => url)
}

function countBy(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

/** As it stands in the record of its call. */
export function asCalled(url: string): string {
  return parseInstruction({ target: url }, 0).target
}

/** After however many attempts: a starved machine may be too late to look a name up, or to connect. */
export function howEnded({ failure, response, state }: JournalEntry): string {
  return [state, failure?.code, response?.status].filter((part) => part !== undefined).join(' ')
}
