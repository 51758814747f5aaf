// npm run durability: shows that 202 means durable. Puts a shim before the calls that write to disk and makes them slow
// or fail, and fills a small disk, under real processes. Prints what it measured; exit code 1 if a check fails. Needs
// cc, and root for the small disk.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { prepare, root } from './prepare.mjs'

const DELAY_MS = 200
const ERRNO = { EIO: 5, ENOSPC: 28 }
const REFUSAL = { EIO: 'stream-unavailable', ENOSPC: 'stream-full' }
const DISK_MIB = 96
const RESERVE_MIB = 32
/** Full is a disk on which nothing was accepted for this long. */
const FULL_AFTER_MS = 500
const LOOK_MS = 20
const WAIT_MS_MAX = 60_000

await prepare()
const { Client } = await import('../test/dist/harness/client.js')
const { readJournal } = await import('../test/dist/harness/journal.js')
const { PosthasteProcess } = await import('../test/dist/harness/posthaste-process.js')
const { TargetServer } = await import('../test/dist/harness/target-server.js')

const folder = mkdtempSync(join(tmpdir(), 'posthaste-durability-'))
const disk = join(folder, 'disk')
const client = new Client({ connections: 50 })
const target = await TargetServer.start()
const rows = []
let mounted = false
let failures = 0

try {
  const shim = compileShim()
  await checkSlowDisk(shim)
  for (const fault of ['EIO', 'ENOSPC']) await checkFailingDisk(shim, fault)
  await checkFailingListener(shim)
  await checkFullDisk()
} catch (error) {
  check('this script', 'came to its end', error.stack, false)
} finally {
  client.close()
  await target.stop()
  if (mounted) execFileSync('umount', ['--lazy', disk])
  rmSync(folder, { recursive: true, force: true })
}
print()
process.exitCode = failures > 0 ? 1 : 0
// Processes that a failed check left behind end with this one.
process.exit()

async function checkSlowDisk(shim) {
  const { start, tell } = installation('slow', shim)
  const accepter = await start('accepter')
  await post(accepter, '/slow')
  const usual = await Promise.all(Array.from({ length: 20 }, () => post(accepter, '/slow')))
  note('well disk', 'answers', span(usual))
  tell(`delay ${DELAY_MS}`)
  const one = []
  for (let count = 0; count < 5; count += 1) one.push(await post(accepter, '/slow'))
  const many = await Promise.all(Array.from({ length: 200 }, () => post(accepter, '/slow')))
  for (const [name, answers] of Object.entries({ 'one by one': one, 'at once': many })) {
    check('slow disk', `${answers.length} ${name}: each 202`, statuses(answers), statuses(answers) === '202')
    const least = Math.min(...answers.map(({ ms }) => ms))
    check('slow disk', `none sooner than ${DELAY_MS} ms`, span(answers), least >= DELAY_MS)
  }
  tell('nothing')
  await accepter.stop()
}

async function checkFailingDisk(shim, fault) {
  const { start, tell } = installation(fault, shim)
  const name = `sync fails, ${fault}`
  const [accepted, refused] = [`/${fault}/accepted`, `/${fault}/refused`]
  const accepter = await start('accepter')
  await post(accepter, accepted)
  tell(`fail ${ERRNO[fault]}`)
  const answers = await Promise.all(Array.from({ length: 50 }, () => post(accepter, refused)))
  for (let count = 0; count < 5; count += 1) answers.push(await post(accepter, refused))
  const codes = [...new Set(answers.map(({ code }) => code))].join(' ')
  check(name, `each answer is 503 ${REFUSAL[fault]}`, `${statuses(answers)} ${codes}`, codes === REFUSAL[fault])
  const retryAfter = answers.every(({ headers }) => Number(headers['retry-after']) > 0)
  check(name, 'each with Retry-After', answers[0].headers['retry-after'], retryAfter && statuses(answers) === '503')
  tell('nothing')
  const after = await Promise.all(Array.from({ length: 20 }, () => post(accepter, accepted)))
  check(name, 'well again: 202 without a restart', statuses(after), statuses(after) === '202')
  const listener = await start('listener')
  await target.until(() => callsOf(accepted) === 21, WAIT_MS_MAX)
  await ping(listener)
  check(name, 'what was accepted is called', `${callsOf(accepted)} of 21`, callsOf(accepted) === 21)
  check(name, 'what was refused is not', `${callsOf(refused)} of ${answers.length}`, callsOf(refused) === 0)
  await Promise.all([accepter.stop(), listener.stop()])
}

async function checkFailingListener(shim) {
  const { dataDir, start, tell } = installation('listener', shim)
  const posthaste = await start('start')
  const count = 50
  let answer = () => {}
  const held = new Promise((resolve) => {
    answer = resolve
  })
  target.script = () => held
  await Promise.all(Array.from({ length: count }, () => post(posthaste, '/recorded')))
  await target.until(() => target.waiting > 0)
  tell(`fail ${ERRNO.EIO}`)
  target.script = () => ({})
  answer({})
  await target.until(() => target.waiting === 0)
  await until(() => posthaste.lines.some(({ msg }) => /cannot be recorded/.test(String(msg))))
  tell('nothing')
  await until(async () => (await readJournal(dataDir)).length === count)
  await ping(posthaste)
  const calls = callsOf('/recorded')
  check('sync fails under the listener', 'called once, recorded when well again', `${calls} calls`, calls === count)
  await posthaste.stop()
}

async function checkFullDisk() {
  const name = `full disk of ${DISK_MIB} MiB`
  if (!mountDisk()) return
  const { dataDir, start } = installation('.', undefined, disk)
  const settings = { diskReserve: `${RESERVE_MIB}MiB` }
  const accepter = await start('accepter', settings)
  let [accepted, acceptedAtMs, refusal] = [0, performance.now(), undefined]
  const body = 'x'.repeat(8_000)
  const more = { body, retry: { initialDelay: '50ms', jitter: 'none' } }
  const fill = async () => {
    // Near the limit it refuses for a moment, until it has measured again.
    while (performance.now() - acceptedAtMs < FULL_AFTER_MS) {
      const answer = await post(accepter, `/full/${accepted % 10 === 0 ? 'flaky' : 'steady'}`, more)
      if (answer.status !== 202) refusal = answer
      else [accepted, acceptedAtMs] = [accepted + 1, performance.now()]
    }
  }
  await Promise.all(Array.from({ length: 50 }, fill))
  const said = `${refusal.status} ${refusal.code}, Retry-After ${refusal.headers['retry-after']}`
  const refused = refusal.code === 'stream-full' && Number(refusal.headers['retry-after']) > 0
  check(name, 'accepting stops with 503 stream-full', `${said}, after ${accepted}`, refused)
  const readyz = await client.request(`${accepter.url}/readyz`)
  check(name, '/readyz of the accepter is 503', `${readyz.status}`, readyz.status === 503)
  note(name, 'free on the disk', `${freeMiB()} MiB, ${RESERVE_MIB} in reserve`)

  target.script = ({ attempt, path }) => ({ status: path === '/full/flaky' && attempt === 1 ? 503 : 200 })
  let leastMiB = freeMiB()
  const listener = await start('listener', settings)
  await until(async () => {
    leastMiB = Math.min(leastMiB, freeMiB())
    const { drained } = await ping(listener, '100ms')
    return drained && new Set([...idsOf('/full/steady', 1), ...idsOf('/full/flaky', 2)]).size === accepted
  })
  await listener.stop()
  const journal = await readJournal(dataDir)
  const [final, retried] = ['succeeded', 'retrying'].map((is) => journal.filter(({ state }) => state === is).length)
  check(name, 'the listener works off all of it', `${final} of ${accepted} recorded`, final === accepted)
  check(name, 'with retries', `${retried}`, retried > 0 && retried === new Set(idsOf('/full/flaky', 1)).size)
  note(name, 'least that was free meanwhile', `${leastMiB} MiB`)
  const again = await until(async () => {
    const answer = await post(accepter, '/again')
    return answer.status === 202 && answer
  })
  check(name, 'then accepting works again, without a restart', `${again.status}`, again.status === 202)
  const ready = await client.request(`${accepter.url}/readyz`)
  check(name, '/readyz is 200 again', `${ready.status}`, ready.status === 200)
  await accepter.stop()
}

function compileShim() {
  const shim = join(folder, 'shim.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', shim, join(root, 'scripts', 'durability-shim.c'), '-ldl'])
  return shim
}

/** A data directory, how to start a process on it, and how to tell the shim what to do. */
function installation(name, shim, parent = folder) {
  const dataDir = join(parent, name, 'data')
  mkdirSync(dataDir, { recursive: true })
  const control = join(folder, `${name}.control`)
  return {
    dataDir,
    start: (role, settings = {}) => {
      // A process starts with what stands in the environment now.
      const environment = shim ? { LD_PRELOAD: shim, DURABILITY_CONTROL: control } : {}
      Object.assign(process.env, environment)
      const started = PosthasteProcess.start({ role, dataDir, settings })
      for (const name of Object.keys(environment)) delete process.env[name]
      return started
    },
    tell: (what) => {
      writeFileSync(`${control}.new`, what)
      renameSync(`${control}.new`, control)
    },
  }
}

async function post(posthaste, path, more = {}) {
  const startedMs = performance.now()
  const { headers, json, status } = await client.post(posthaste.url, { target: `${target.url}${path}`, ...more })
  return { status, headers, code: json?.code ?? 'accepted', ms: performance.now() - startedMs }
}

async function ping(posthaste, wait = '10s') {
  return (await client.request(`${posthaste.url}/cycle?wait=${wait}`)).json
}

/** Resolves with what `condition` returns once that is something. */
async function until(condition) {
  for (const untilMs = performance.now() + WAIT_MS_MAX; performance.now() < untilMs; await sleep(LOOK_MS)) {
    const met = await condition()
    if (met) return met
  }
  throw new Error(`waited in vain for ${condition}`)
}

function mountDisk() {
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk], { stdio: 'pipe' })
    mounted = true
  } catch (error) {
    note('full disk', 'NOT CHECKED: mounting a small disk needs root', String(error.stderr ?? error.message).trim())
  }
  return mounted
}

function callsOf(path) {
  return target.arrivals.filter((arrival) => arrival.path === path).length
}

function idsOf(path, attempt) {
  return target.arrivals.filter((one) => one.path === path && one.attempt >= attempt).map(({ id }) => id)
}

function statuses(answers) {
  return [...new Set(answers.map(({ status }) => status))].join(' ')
}

function freeMiB() {
  const { bavail, bsize } = statfsSync(disk)
  return Math.round((bavail * bsize * 10) / 1024 / 1024) / 10
}

function span(answers) {
  const ms = answers.map((answer) => Math.round(answer.ms)).sort((a, b) => a - b)
  return `${ms[0]} to ${ms.at(-1)} ms`
}

function note(where, what, measured) {
  rows.push([where, what, measured, ''])
}

function check(where, what, measured, ok) {
  rows.push([where, what, measured, ok ? 'ok' : 'FAILED'])
  if (!ok) failures += 1
}

function print() {
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => String(row[column]).length)))
  for (const row of rows) console.log(row.map((cell, column) => String(cell).padEnd(widths[column] ?? 0)).join('  '))
  console.log(failures > 0 ? `\n${failures} failed` : '\nall as promised')
}
