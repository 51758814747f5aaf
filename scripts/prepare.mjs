// Makes a checkout ready to run: installs when the lockfile changed, builds when sources did. Costs 0.2 seconds when
// there is nothing to do. Uses nothing but Node, for it runs before anything is installed.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const installed = join(root, 'node_modules', '.posthaste-installed')
const lock = join(root, '.prepare.lock')

/** Installs and builds what is out of date. @throws Error when either fails; what went wrong has been printed by then. */
export async function prepare() {
  await holdingLock(() => {
    const changed = install()
    removeOrphans()
    // tsc 7 keeps what it found under the old options, such as "lib": after a change it starts afresh.
    if (run('tsc', changed ? ['-b', '--force'] : ['-b']) !== 0) throw new Error('the build failed')
  })
}

/** Runs a tool of this workspace with our stdio and returns its exit code. */
export function run(tool, args) {
  const { status, error } = spawnSync(join(root, 'node_modules', '.bin', tool), args, { cwd: root, stdio: 'inherit' })
  if (error) console.error(`${tool}: ${error.message}`)
  return status ?? 1
}

/** Returns whether anything had changed since the last time. */
function install() {
  const wanted = fingerprint('pnpm-lock.yaml', 'package.json', 'tsconfig.base.json')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return false
  console.log('Installing dependencies')
  rmSync(installed, { force: true })
  quietly(process.execPath, [join(root, 'scripts', 'pnpm.mjs'), 'install', '--frozen-lockfile', '--ignore-scripts'])
  // tap generates its Test class from the list of plugins in package.json; the tests are compiled against it.
  quietly(join(root, 'node_modules', '.bin', 'tap'), ['build'])
  writeFileSync(installed, wanted)
  return true
}

function fingerprint(...files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

function quietly(command, args) {
  // CI: no questions. NODE_ENV: in production pnpm would leave out the compiler.
  const env = { ...process.env, CI: 'true', NODE_ENV: 'development' }
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  throw new Error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`)
}

// The compiler leaves the output of a source that is gone, and a test that is gone would still be run.
function removeOrphans() {
  const members = [...readdirSync(join(root, 'packages')).map((name) => join('packages', name)), 'test', 'bench']
  for (const member of members.map((path) => join(root, path))) {
    const dist = join(member, 'dist')
    if (!existsSync(dist)) continue
    for (const output of readdirSync(dist, { recursive: true })) {
      const source = output.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
      if (source !== output && !existsSync(join(member, source))) rmSync(join(dist, output))
    }
  }
}

// The lock is a symbolic link to the pid of its holder, so it is taken and signed in one step.
async function holdingLock(work) {
  for (let waits = 0; !takeLock(); waits++) {
    if (waits === 30) console.log(`Waiting for another build (process ${lockHolder()}, ${lock})`)
    await sleep(100)
  }
  try {
    work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function takeLock() {
  try {
    symlinkSync(String(process.pid), lock)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  if (!isAlive(lockHolder())) rmSync(lock, { force: true })
  return false
}

function lockHolder() {
  try {
    return Number(readlinkSync(lock))
  } catch {
    return process.pid // released just now
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await prepare().catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
