import type { CycleDoor } from './accepter-options.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'
import type { Waits } from './waits.js'

const WAIT_MS = 1_000

/** `GET`, `HEAD` or `POST /cycle`: a ping, as health checks send them, that triggers the listener. */
export function addCycleRoutes(routes: Routes, door: CycleDoor, waits: Waits): void {
  for (const operation of [OPERATIONS.ping, OPERATIONS.pingByPost]) {
    routes.add(operation, async ({ query }, reply) => {
      const report = await waits.within(query.wait ?? WAIT_MS, (waitMs) => door.ping(waitMs))
      reply.code(report.drained ? 200 : 202).header('cache-control', 'no-store')
      return report
    })
  }
}
