import { measureSync } from './disk.js'
import { type Measured, measure, mediansOf } from './measure.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startFloor, startPosthaste } from './system.js'
import { Target } from './target.js'

const ROUNDS = 3
const BODY_BYTES = 1_024
const WARM_COUNT = 100_000
/** As fast as so many connections allow, or at a rate. */
const LOADS = [
  { name: '64 connections', connections: 64, count: 100_000 },
  { name: '256 connections', connections: 256, count: 100_000 },
  { name: '500 a second', connections: 64, count: 5_000, perSecond: 500 },
] as const

type Name = (typeof LOADS)[number]['name']

/** Posthaste as it comes against the floor, in turn, each load on a process of its own. */
export async function compare(site: Site): Promise<void> {
  const target = await Target.start()
  const sync = measureSync(site.folder)
  const rounds: Round[] = []
  for (const { name, ...load } of LOADS) {
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const start of [startFloor, startPosthaste]) {
        const system = await start(site)
        // It takes some seconds at full load until all code is compiled.
        await measure(system, target, { connections: 64, count: WARM_COUNT, bodyBytes: BODY_BYTES })
        rounds.push({
          load: name,
          system: system.name,
          measured: await measure(system, target, { ...load, bodyBytes: BODY_BYTES }),
        })
        await system.stop()
        console.log(`${name}, round ${round} of ${ROUNDS}: ${system.name}`)
      }
    }
  }
  target.stop()
  const floor = mediansByLoad(rounds, 'floor')
  const posthaste = mediansByLoad(rounds, 'posthaste')
  print(floor, posthaste, sync.p50)
  writeResult('compare', { fdatasyncMs: sync, floor, posthaste, rounds })
}

type ByLoad = Readonly<Record<Name, Measured>>

interface Round {
  readonly load: Name
  readonly system: 'floor' | 'posthaste'
  readonly measured: Measured
}

function mediansByLoad(rounds: readonly Round[], system: Round['system']): ByLoad {
  const medians = LOADS.map(({ name }) => {
    const own = rounds.filter((round) => round.load === name && round.system === system)
    return [name, mediansOf(own.map(({ measured }) => measured))]
  })
  return Object.fromEntries(medians) as ByLoad
}

function print(floor: ByLoad, posthaste: ByLoad, syncMs: number): void {
  for (const name of ['64 connections', '256 connections'] as const) {
    const row = (figure: string, key: keyof Measured, aim = '') => ({
      figure,
      floor: floor[name][key],
      posthaste: posthaste[name][key],
      ratio: posthaste[name][key] / floor[name][key],
      aim,
    })
    printTable(`${name}, 1 KiB bodies: medians of ${ROUNDS}`, [
      row('accepted a second', 'acceptedPerS', 'ratio from 0.8'),
      row('accepting p50, ms', 'acceptP50'),
      row('accepting p99, ms', 'acceptP99'),
      row('completed a second', 'completedPerS', 'ratio from 0.9'),
      row('CPU s per 10,000', 'cpuS', 'ratio to 1.4'),
      row('anonymous memory, MiB', 'memoryMaxMiB', 'to 190 (200 MB)'),
    ])
  }
  const slow = '500 a second'
  printTable(`${slow}, from request to call: medians of ${ROUNDS}`, [
    {
      figure: 'p50, ms',
      floor: floor[slow].callP50,
      posthaste: posthaste[slow].callP50,
      aim: `to ${(syncMs + 1).toFixed(2)} (fdatasync ${syncMs.toFixed(2)} + 1)`,
    },
    { figure: 'p99, ms', floor: floor[slow].callP99, posthaste: posthaste[slow].callP99, aim: 'to 5' },
    { figure: 'accepting p50, ms', floor: floor[slow].acceptP50, posthaste: posthaste[slow].acceptP50, aim: '' },
  ])
}
