// npm start: prepare, start Posthaste with our arguments and, outside production, an echo target to call. Ends with
// Posthaste's exit code.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEchoTarget } from './echo-target.mjs'
import { prepare, root } from './prepare.mjs'

const args = process.argv.slice(2)
const main = join(root, 'packages', 'cli', 'dist', 'src', 'main.js')

try {
  await prepare()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
const echo = process.env.NODE_ENV === 'production' ? undefined : await startEchoTarget()
// A group of its own: Ctrl-C in a terminal then reaches Posthaste once, through us.
const server = spawn(process.execPath, ['--enable-source-maps', main, 'start', ...args], {
  detached: true,
  stdio: 'inherit',
})
server.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
process.on('exit', () => server.kill())
passSignalsTo(server)
await announce()

// The terminal and npm both pass Ctrl-C on; of the same signal within a second one is enough. A later one goes through.
function passSignalsTo(child) {
  let passedAt = -Infinity
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (performance.now() - passedAt < 1000) return
      passedAt = performance.now()
      child.kill(signal)
    })
  }
}

async function announce() {
  const host = option('host', '127.0.0.1').replace(/^(0\.0\.0\.0|::)$/, '127.0.0.1')
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${option('port', '8080')}`
  while (!(await isReady(url))) await sleep(50)
  console.log(echo ? `\nPosthaste is ready on ${url}. Try:\n\n${examples(url, echo)}` : `Posthaste is ready on ${url}`)
}

/** What the command line says, or else the environment. */
function option(name, fallback) {
  const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))
  const given = at >= 0 ? (args[at].split('=')[1] ?? args[at + 1]) : process.env[`POSTHASTE_${name.toUpperCase()}`]
  return given || fallback
}

async function isReady(url) {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

function examples(url, target) {
  const lines = {
    now: { target: `${target}/`, body: { hello: 'world' } },
    'in five seconds': { target: `${target}/`, delay: '5s' },
    'failing twice, retried': { target: `${target}/flaky?fail=2`, retry: { initialDelay: '500ms' } },
    'response forwarded': { target: `${target}/slow?ms=1000`, body: 'a result', forwardTo: `${target}/done` },
  }
  const curl = `curl -i ${url}/invocations -H 'content-type: application/json' -d`
  return Object.entries(lines)
    .map(([title, instruction]) => `# ${title}\n${curl} '${JSON.stringify(instruction)}'\n`)
    .join('')
}
