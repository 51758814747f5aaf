import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createToken, hashToken } from '@posthaste/core'
import type { PosthasteOptions } from '@posthaste/test/harness/posthaste-process.js'
import { type Measured, measure } from './measure.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { type System, startPosthaste } from './system.js'
import { Target } from './target.js'

/** Many and short: the speed of a shared machine changes within seconds, and a ratio is of two that follow each other. */
const ROUNDS = 11
const WARM_COUNT = 30_000
const LOAD = { connections: 64, count: 10_000, bodyBytes: 1_024 }
const AIM = 0.9

interface Setting {
  readonly token?: string
  readonly settings: NonNullable<PosthasteOptions['settings']>
}

const NAMES = ['off', 'on', 'sealed'] as const
type Name = (typeof NAMES)[number]
type Round = Readonly<Record<Name, Measured>>

/** What it costs to know who asks, to look at what is called, and to sign it; and, alone, to seal what is kept. */
export async function security(site: Site): Promise<void> {
  const target = await Target.start()
  const all: Readonly<Record<Name, Setting>> = {
    off: OFF,
    on: guarded(site.folder, new URL(target.urls[0] as string)),
    sealed: sealed(site.folder),
  }
  const put = new Map<Name, (count: number) => Promise<Measured>>()
  const systems: System[] = []
  for (const name of NAMES) {
    const { settings, token } = all[name]
    const shown = token === undefined ? {} : { token }
    const system = await startPosthaste(site, { settings, ...shown })
    systems.push(system)
    put.set(name, (count) => measure(system, target, { ...LOAD, ...shown, count }))
    await put.get(name)?.(WARM_COUNT)
  }
  const rounds: Round[] = []
  for (let number = 1; number <= ROUNDS; number += 1) {
    const round: Partial<Record<Name, Measured>> = {}
    // Not always the same one first: a machine becomes slower, or faster, as time goes by.
    const names = number % 2 === 1 ? NAMES : NAMES.toReversed()
    for (const name of names) round[name] = (await put.get(name)?.(LOAD.count)) as Measured
    rounds.push(round as Round)
    console.log(`round ${number} of ${ROUNDS}`)
  }
  await Promise.all(systems.map((system) => system.stop()))
  target.stop()
  report(rounds)
}

function report(rounds: readonly Round[]): void {
  const row = (figure: string, key: keyof Measured, aim = '') => ({
    figure,
    off: medianOf(rounds.map(({ off }) => off[key])),
    on: medianOf(rounds.map(({ on }) => on[key])),
    'on/off': medianOf(rounds.map(({ off, on }) => on[key] / off[key])),
    aim,
    sealed: medianOf(rounds.map(({ sealed }) => sealed[key])),
    'sealed/off': medianOf(rounds.map(({ off, sealed }) => sealed[key] / off[key])),
  })
  printTable(`tokens, lists of targets, addresses and signatures: 64 connections, medians of ${ROUNDS} rounds`, [
    row('completed a second', 'completedPerS', `ratio from ${AIM}`),
    row('accepted a second', 'acceptedPerS'),
    row('accepting p50, ms', 'acceptP50'),
    row('CPU s per 10,000', 'cpuS'),
    row('anonymous memory, MiB', 'memoryMaxMiB'),
  ])
  writeResult('security', { rounds })
}

function medianOf(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1] as number
}

/** Whatever can be left out is. */
const OFF: Setting = { settings: { allowAddresses: '0.0.0.0/0,::/0' } }

/** Beside the entries that count there are others, as where it is used. */
function guarded(folder: string, { origin }: URL): Setting {
  const directory = mkdtempSync(join(folder, 'guarded-'))
  const others = Array.from({ length: 20 }, (_, index) => `https://service${index}.example.com`)
  const token = createToken()
  const holders = [...others, 'bench'].map((name, index) => ({
    name: name.replace(/\W+/g, '-'),
    sha256: hashToken(name === 'bench' ? token : `other ${index}`).toString('hex'),
    scopes: ['invoke', 'read', 'operate'],
    targets: [...others, origin],
    requestsPerSecond: 1_000_000,
  }))
  const secrets = [`whsec_${randomBytes(32).toString('base64')}`]
  const files = {
    tokens: { tokens: holders },
    targets: { targets: [...others, origin].map((match) => ({ match, sign: { secrets } })) },
  }
  const settings: Record<string, string> = {}
  for (const [name, content] of Object.entries(files)) {
    settings[name] = join(directory, `${name}.json`)
    writeFileSync(settings[name], JSON.stringify(content))
  }
  const lists = { allowTargets: [...others, origin].join(), denyTargets: 'https://*.internal.example.com' }
  return { token, settings: { ...settings, ...lists, allowAddresses: '127.0.0.0/8' } }
}

/** As `off`, with a key. */
function sealed(folder: string): Setting {
  const keys = join(mkdtempSync(join(folder, 'sealed-')), 'keys.json')
  writeFileSync(keys, JSON.stringify({ keys: [{ id: 'bench', key: randomBytes(32).toString('base64') }] }))
  return { settings: { ...OFF.settings, keys } }
}
