import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { putLoad } from './load.js'
import { ProcessWatch } from './process-watch.js'
import { printTable, writeResult } from './report.js'
import type { Site } from './site.js'
import { startRole } from './system.js'
import { Target } from './target.js'

const ROUNDS = 3
const HANGING_TARGETS = 50
const LOADS = {
  embedded: { quick: 10_000, hangingPerQuick: 20 },
  nats: { quick: 4_000, hangingPerQuick: 4 },
  kafka: { quick: 4_000, hangingPerQuick: 4 },
}

interface Run {
  /** From the listener's start until the last quick call had come. */
  readonly quickMs: number
  readonly cpuS: number
  readonly memoryMiB: number
}

/** How long a backlog of quick calls takes alone, and among many more whose targets never answer. */
export async function isolation(site: Site): Promise<void> {
  const { hangingPerQuick, quick } = LOADS[site.stream]
  const hanging = await HangingTargets.start()
  const rounds: { readonly alone: Run; readonly among: Run }[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const alone = await run(site, quick)
    rounds.push({ alone, among: await run(site, quick, hanging.urls, hangingPerQuick) })
    console.log(`round ${round} of ${ROUNDS}`)
  }
  hanging.stop()
  const rows = rounds.map(({ alone, among }, index) => ({
    round: index + 1,
    'alone, ms': alone.quickMs,
    'among, ms': among.quickMs,
    ratio: among.quickMs / alone.quickMs,
    'CPU s, alone': alone.cpuS,
    'CPU s, among': among.cpuS,
    'memory MiB, among': Math.round(among.memoryMiB),
  }))
  const title = `${site.stream}: ${quick} quick calls, alone and among ${quick * hangingPerQuick} that hang`
  printTable(title, rows)
  const ratios = rows.map(({ ratio }) => ratio).sort((a, b) => a - b)
  console.log(`median ratio ${(ratios[ratios.length >> 1] as number).toFixed(2)}`)
  writeResult(`isolation-${site.stream}`, { rounds })
}

/** Has quick calls accepted, each behind `perQuick` to hanging targets, then called. */
async function run(site: Site, quick: number, hanging: readonly string[] = [], perQuick = 0): Promise<Run> {
  const { dataDir, remove, settings } = site.install()
  const target = await Target.start()
  const targets = interleave(hanging, perQuick, target.urls[0] as string)
  const count = quick * (1 + perQuick)
  const accepter = await startRole('accepter', dataDir, { settings })
  const load = { url: accepter.url, connections: 256, count, bodyBytes: 100, targets, firstSequence: 0 }
  const sent = await putLoad(load)
  await accepter.stop()
  if (sent.accepted !== count) throw new Error(`Not all were accepted: ${JSON.stringify(sent.refused)}`)
  const startedMs = performance.now()
  const listener = await startRole('listener', dataDir, { settings: { ...settings, stopGrace: '1s' } })
  const watch = new ProcessWatch(listener.pid)
  await target.until(quick)
  const quickMs = performance.now() - startedMs
  const { cpuS, memoryMiB } = watch.end()
  await listener.stop()
  target.stop()
  remove()
  return { quickMs, cpuS, memoryMiB: Math.max(...memoryMiB) }
}

/** Each hanging target `perQuick` times, and the quick one after every `perQuick` of them. */
function interleave(hanging: readonly string[], perQuick: number, quick: string): string[] {
  if (perQuick === 0) return [quick]
  return hanging.flatMap((_, group) => [
    ...Array.from({ length: perQuick }, (_, index) => hanging[(group * perQuick + index) % hanging.length] as string),
    quick,
  ])
}

/** Servers that take every connection and never answer. */
class HangingTargets {
  readonly urls: readonly string[]
  readonly #servers: readonly Server[]
  readonly #sockets: ReadonlySet<Socket>

  static async start(): Promise<HangingTargets> {
    const sockets = new Set<Socket>()
    const servers = Array.from({ length: HANGING_TARGETS }, () =>
      createServer((socket) => {
        sockets.add(socket)
        // Whoever calls is stopped in the end.
        socket.resume().on('error', () => undefined)
        socket.once('close', () => sockets.delete(socket))
      }).listen(0, '127.0.0.1'),
    )
    await Promise.all(servers.map((server) => once(server, 'listening')))
    return new HangingTargets(servers, sockets)
  }

  private constructor(servers: readonly Server[], sockets: ReadonlySet<Socket>) {
    this.#servers = servers
    this.#sockets = sockets
    this.urls = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/hangs`)
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }
}
