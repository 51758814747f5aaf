import { type Measured, measure, mediansOf } from './measure.js'
import { printTable, writeResult } from './report.js'
import { openSite, type Site, STREAMS, type StreamName } from './site.js'
import { startPosthaste } from './system.js'
import { Target } from './target.js'

const ROUNDS = 3
const WARM_COUNT = 15_000
const LOAD = { connections: 64, count: 30_000, bodyBytes: 1_024 }
const SLOW = { connections: 64, count: 1_500, perSecond: 250, bodyBytes: 1_024 }

interface Round {
  readonly stream: StreamName
  readonly full: Measured
  readonly slow: Measured
}

/** Posthaste on each stream, in turn, with a broker that starts afresh for each. */
export async function streams({ folder }: Site): Promise<void> {
  const target = await Target.start()
  const rounds: Round[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const stream of STREAMS) {
      rounds.push(await measureOn(stream, folder, target))
      console.log(`round ${round} of ${ROUNDS}: ${stream}`)
    }
  }
  target.stop()
  const medians = Object.fromEntries(
    STREAMS.map((stream) => {
      const own = rounds.filter((round) => round.stream === stream)
      return [stream, { full: mediansOf(own.map(({ full }) => full)), slow: mediansOf(own.map(({ slow }) => slow)) }]
    }),
  ) as Record<StreamName, Omit<Round, 'stream'>>
  const row = (figure: string, read: (one: Omit<Round, 'stream'>) => number) => {
    const [embedded, nats, kafka] = STREAMS.map((stream) => read(medians[stream])) as [number, number, number]
    return { figure, embedded, nats, kafka, 'nats ratio': nats / embedded, 'kafka ratio': kafka / embedded }
  }
  printTable(`64 connections, 1 KiB bodies: medians of ${ROUNDS}`, [
    row('accepted a second', ({ full }) => full.acceptedPerS),
    row('completed a second', ({ full }) => full.completedPerS),
    row('accepting p50, ms', ({ full }) => full.acceptP50),
    row('CPU s per 10,000, without the broker', ({ full }) => full.cpuS),
    row('anonymous memory, MiB', ({ full }) => full.memoryMaxMiB),
    row('at 250 a second, request to call p50, ms', ({ slow }) => slow.callP50),
    row('at 250 a second, request to call p99, ms', ({ slow }) => slow.callP99),
  ])
  writeResult('streams', { medians, rounds })
}

async function measureOn(stream: StreamName, folder: string, target: Target): Promise<Round> {
  const site = await openSite(stream, folder)
  try {
    const system = await startPosthaste(site)
    await measure(system, target, { ...LOAD, count: WARM_COUNT })
    const full = await measure(system, target, LOAD)
    const slow = await measure(system, target, SLOW)
    await system.stop()
    return { stream, full, slow }
  } finally {
    await site.close()
  }
}
