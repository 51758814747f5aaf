// npm run bench [-- EXPERIMENT... [--stream embedded|nats|kafka]]: measures Posthaste, against a floor without
// durability. See docs/performance.md.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { backlog } from './backlog.js'
import { compare } from './compare.js'
import { deferred } from './deferred.js'
import { doors } from './doors.js'
import { isolation } from './isolation.js'
import { lateness } from './lateness.js'
import { outage } from './outage.js'
import { profile } from './profile.js'
import { scaling } from './scaling.js'
import { security } from './security.js'
import { openSite, type Site, STREAMS } from './site.js'
import { soak } from './soak.js'
import { streams } from './streams.js'
import { bodies, delays, targets } from './variety.js'
import { view } from './view.js'
import { viewCost } from './view-cost.js'

const EXPERIMENTS: Readonly<Record<string, (site: Site) => Promise<void>>> = {
  compare,
  soak,
  backlog,
  deferred,
  lateness,
  isolation,
  bodies,
  delays,
  targets,
  outage,
  profile,
  streams,
  scaling,
  view,
  viewCost,
  security,
  doors,
}

const { positionals: asked, values } = parseArgs({
  allowPositionals: true,
  options: { stream: { type: 'string', default: 'embedded' } },
})
const stream = STREAMS.find((name) => name === values.stream)
const unknown = asked.filter((name) => !(name in EXPERIMENTS))
if (unknown.length > 0 || !stream) {
  console.error(
    `Name some of ${Object.keys(EXPERIMENTS).join(', ')}, or none for compare, and --stream ${STREAMS.join(', ')}.`,
  )
  process.exit(2)
}
// The disk that is measured: TMPDIR names another.
const folder = mkdtempSync(join(tmpdir(), 'posthaste-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
const site = await openSite(stream, folder)
for (const name of asked.length > 0 ? asked : ['compare']) await EXPERIMENTS[name]?.(site)
await site.close()
process.exit()
