// node scripts/pnpm.mjs ARGUMENT...: runs pnpm here, of the version and the hash that package.json names: npx looks at no
// hash but what the registry says. Uses nothing but Node and npm, for it runs before anything is installed.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [, version, digest] = /^pnpm@([\d.]+)\+sha512\.([0-9a-f]{128})$/.exec(packageManager)
const folder = mkdtempSync(join(tmpdir(), 'posthaste-pnpm-'))
try {
  for (const [name, content] of Object.entries(locked())) writeFileSync(join(folder, name), JSON.stringify(content))
  const isThere = run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], folder) === 0
  const pnpm = join(folder, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs')
  process.exitCode = isThere ? run(process.execPath, [pnpm, ...process.argv.slice(2)], process.cwd()) : 1
} finally {
  rmSync(folder, { recursive: true })
}

/** A package with nothing but pnpm, and its lockfile, by which npm compares the hash. */
function locked() {
  const own = { name: 'only-pnpm', version: '1.0.0', dependencies: { pnpm: version } }
  const pnpm = {
    version,
    resolved: `https://registry.npmjs.org/pnpm/-/pnpm-${version}.tgz`,
    integrity: `sha512-${Buffer.from(digest, 'hex').toString('base64')}`,
  }
  const packages = { '': own, 'node_modules/pnpm': pnpm }
  return { 'package.json': own, 'package-lock.json': { ...own, lockfileVersion: 3, requires: true, packages } }
}

function run(command, args, cwd) {
  const { error, status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (error) console.error(`${command}: ${error.message}`)
  return status ?? 1
}
