// npm run bench [-- EXPERIMENT...]: measures Posthaste, against a floor without durability. See docs/performance.md.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backlog } from './backlog.js'
import { compare } from './compare.js'
import { deferred } from './deferred.js'
import { profile } from './profile.js'
import { soak } from './soak.js'
import { bodies, delays, targets } from './variety.js'

const EXPERIMENTS: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  compare,
  soak,
  backlog,
  deferred,
  bodies,
  delays,
  targets,
  profile,
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in EXPERIMENTS))
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(', ')}: name some of ${Object.keys(EXPERIMENTS).join(', ')}, or none for compare.`,
  )
  process.exit(2)
}
// The disk that is measured: TMPDIR names another.
const folder = mkdtempSync(join(tmpdir(), 'posthaste-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
for (const name of asked.length > 0 ? asked : ['compare']) await EXPERIMENTS[name]?.(folder)
process.exit()
