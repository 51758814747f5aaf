// What `npm run brokers` does.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { BROKERS, provideBroker } from './provide.mjs'

const names = Object.keys(BROKERS)
const OPTIONS = ['only', 'kafka', ...names.map((name) => `${name}-port`)]

// While brokers start there is nothing to wait for: what was started ends with us.
let onSignal = () => process.exit(1)

/** Resolves with the exit code, when all is stopped. @throws Error when a broker cannot be had. */
export async function main(args) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => onSignal(signal))
  const { wanted, command } = parse(args)
  const brokers = await startAll(wanted)
  try {
    return await use(brokers, command)
  } finally {
    onSignal = () => {} // npm passes Ctrl-C on once more
    await stopAll(brokers)
  }
}

function parse(args) {
  const options = Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' }]))
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const { only } = values
  if (only && !names.includes(only)) throw new Error(`--only ${only}: it is one of ${names.join(', ')}`)
  const wanted = (only ? [only] : names).map((name) => {
    const port = values[`${name}-port`]
    return { name, options: { version: values[name], port: port && Number(port) } }
  })
  return { wanted, command: positionals }
}

async function startAll(wanted) {
  const outcomes = await Promise.allSettled(
    wanted.map(async ({ name, options }) => ({
      variable: BROKERS[name].variable,
      ...(await provideBroker(name, options)),
    })),
  )
  const failed = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message)
  const brokers = outcomes.filter(({ status }) => status === 'fulfilled').map(({ value }) => value)
  if (failed.length === 0) return brokers
  await stopAll(brokers)
  throw new Error(failed.join('\n'))
}

async function stopAll(brokers) {
  await Promise.all(brokers.map(({ stop }) => stop()))
}

async function use(brokers, [file, ...args]) {
  const variables = brokers.map(({ variable, address }) => [variable, address])
  if (file) return run(file, args, { ...process.env, ...Object.fromEntries(variables) })
  for (const [variable, address] of variables) console.log(`${variable}=${address}`)
  return new Promise((resolve) => {
    onSignal = () => resolve(0)
  })
}

function run(file, args, env) {
  const child = spawn(file, args, { env, stdio: 'inherit' })
  // The terminal gives Ctrl-C to the command too.
  onSignal = (signal) => signal === 'SIGINT' || child.kill(signal)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}
