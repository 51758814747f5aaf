// npm run audit: asks the registry whether anything is known against what is installed for Posthaste to run. `npm test`
// does so in CI.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installedDependencies } from './installed.mjs'

const TIMEOUT_MS = 60_000
const SERIOUS = ['high', 'critical']

/** Returns `{ unanswered }`, why there is no answer, or `{ known }`, a line for each package that something is known of. */
export function audit() {
  const installed = installedDependencies()
  // npm takes a lockfile of its own, and reads nothing else. What it asks for with `pnpm audit` is no longer answered.
  const folder = mkdtempSync(join(tmpdir(), 'posthaste-audit-'))
  try {
    for (const [name, content] of Object.entries(lockedAs(installed)))
      writeFileSync(join(folder, name), JSON.stringify(content))
    return answerOf(
      spawnSync('npm', ['audit', '--json'], { cwd: folder, encoding: 'utf8', timeout: TIMEOUT_MS }).stdout,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A package, and its lockfile, with all of them side by side; of a name, other versions are below a package of ours. */
function lockedAs(installed) {
  const names = new Set()
  const entries = installed.map(({ name, version }) => {
    const isFirst = !names.has(name)
    names.add(name)
    const below = isFirst ? '' : `node_modules/${installed[0].name}/`
    return [`${below}node_modules/${name}`, { version }]
  })
  const own = { name: 'audited', version: '1.0.0' }
  const dependencies = Object.fromEntries(installed.map(({ name }) => [name, '*']))
  const packages = { '': { ...own, dependencies }, ...Object.fromEntries(entries) }
  return {
    'package.json': { ...own, dependencies },
    'package-lock.json': { ...own, lockfileVersion: 3, requires: true, packages },
  }
}

/** What npm printed. */
export function answerOf(text) {
  const answer = parse(text)
  if (!answer?.vulnerabilities) return { unanswered: whyNot(answer) }
  const known = Object.values(answer.vulnerabilities).filter(({ severity }) => SERIOUS.includes(severity))
  return { known: known.map(({ name, range, severity }) => `${name} ${range}: ${severity}`) }
}

function whyNot(answer) {
  if (answer?.statusCode) return `the registry answers ${answer.statusCode}`
  return answer?.message ?? answer?.error?.summary ?? 'npm gave no answer'
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { known, unanswered } = audit()
  if (unanswered) console.log(`NOT AUDITED: ${unanswered}.`)
  else console.log(known.length > 0 ? known.join('\n') : 'Nothing serious is known against what is installed.')
  process.exitCode = unanswered ? 2 : Math.min(1, known.length)
}
