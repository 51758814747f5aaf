import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { runCommand } from '../src/run-command.js'

export const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))

export interface Line extends Record<string, unknown> {
  readonly msg: string
}

interface Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly url: string
  /** The line that says that it listens. */
  readonly line: Line
  readonly logged: () => Line[]
}

interface StartOptions {
  readonly dataDir?: string
  readonly args?: readonly string[]
  readonly environment?: Record<string, string>
}

/** Starts a command that goes on, and resolves when it listens. */
export async function start(t: Test, command: string, options: StartOptions = {}): Promise<Started> {
  const { dataDir = makeDirectory(t), args = [], environment } = options
  const own = [command, '--port', '0', '--data-dir', dataDir, '--disk-reserve', '0']
  const child = spawnMain(t, [...own, ...args], environment)
  let text = ''
  child.stdout.on('data', (more) => {
    text += more
  })
  child.stderr.pipe(process.stderr)
  const logged = (): Line[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  await until(() => logged().length > 0 || child.exitCode !== null)
  const line = logged()[0] as Line
  return { child, url: line.url as string, line, logged }
}

/** What a command ended with, and printed. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end in this process, which takes a hundredth of the time of one of its own. */
export async function run(
  args: readonly string[],
  environment: Record<string, string> = {},
  stdin: readonly string[] = [],
): Promise<Ran> {
  const [stdout, stderr] = [new Printed(), new Printed()]
  const restore = setEnvironment(environment)
  try {
    const code = await runCommand(args, { stdin: Readable.from(stdin), stdout, stderr })
    return { code, stdout: stdout.text, stderr: stderr.text }
  } finally {
    restore()
  }
}

/** Whatever is written to it, as text. */
class Printed extends Writable {
  readonly #chunks: Buffer[] = []

  get text(): string {
    return Buffer.concat(this.#chunks).toString()
  }

  override _write(chunk: Buffer, _: string, taken: () => void): void {
    this.#chunks.push(chunk)
    taken()
  }
}

/** Gives this process these settings and no others, until what is returned is called. */
function setEnvironment(settings: Record<string, string>): () => void {
  const before = Object.entries(process.env).filter(([name]) => name.startsWith('POSTHASTE_') || name in settings)
  for (const [name] of before) delete process.env[name]
  Object.assign(process.env, settings)
  return () => {
    for (const name of Object.keys(settings)) delete process.env[name]
    Object.assign(process.env, Object.fromEntries(before))
  }
}

interface RunOptions {
  readonly stdin?: string
  /** After so many lines nobody reads what it prints any more. */
  readonly linesMax?: number
}

/** Runs a command to its end in a process of its own. */
export async function runProcess(
  t: Test,
  args: readonly string[],
  environment?: Record<string, string>,
  { linesMax = Number.POSITIVE_INFINITY, stdin = '' }: RunOptions = {},
): Promise<Ran> {
  const child = spawnMain(t, args, environment)
  child.stdin.end(stdin)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      if (name === 'stdout' && text.split('\n').length > linesMax) child.stdout.destroy()
    })
  const [code] = (await once(child, 'close', { signal: AbortSignal.timeout(60_000) })) as [number]
  return { code, ...output }
}

export function spawnMain(t: Test, args: readonly string[], environment: Record<string, string> = {}) {
  // A part by itself calls nothing on this machine unless it is told to.
  const part = args[0] !== 'start' && { POSTHASTE_ALLOW_ADDRESSES: '127.0.0.0/8' }
  const env = { PATH: process.env.PATH, ...part, ...environment }
  const child = spawn(process.execPath, [MAIN, ...args], { env })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

export function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/** A target that leaves its requests open unless it is told how to answer. */
export async function startTarget(t: Test, answer: (response: ServerResponse) => void = () => {}) {
  const open: ServerResponse[] = []
  const server = createServer((_, response) => {
    open.push(response)
    answer(response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open }
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > 60_000) throw new Error(`still not so: ${condition}`)
    await sleep(10)
  }
}
