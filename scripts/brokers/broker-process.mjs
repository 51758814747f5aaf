// A broker as a plain process: started until it answers, frozen, killed, started again in the same place, stopped.

import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 20
const READY_MS_MAX = 90_000
const STOP_MS_MAX = 20_000
const LOG_LINES = 20

// No broker outlives us. Where there is setpriv the kernel sees to it, however we end; elsewhere a signal that ends us
// without this event leaves brokers behind.
const setpriv = '/usr/bin/setpriv'
const guard = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : []
const alive = new Set()
process.on('exit', () => {
  for (const broker of alive) broker.discard()
})

export class BrokerProcess {
  #name
  #command
  #isReady
  #isTemporary
  #child
  #exited

  /** `command(directory)` is what to run; `isReady()` says whether it answers. A directory not given is temporary. */
  constructor({ name, directory, command, isReady }) {
    this.#name = name
    this.#command = command
    this.#isReady = isReady
    this.#isTemporary = directory === undefined
    this.directory = directory ? resolve(directory) : mkdtempSync(join(tmpdir(), `posthaste-${name}-`))
    this.log = join(this.directory, 'broker.log')
    mkdirSync(this.directory, { recursive: true })
    alive.add(this)
  }

  /** The running process, or undefined. */
  get pid() {
    return this.#child?.pid
  }

  /** Resolves once the broker answers. @throws Error with the end of its log when it does not. */
  async start() {
    if (this.#child) return
    this.#spawn()
    const giveUpAt = performance.now() + READY_MS_MAX
    while (this.#child && performance.now() < giveUpAt) {
      if (await this.#isReady()) return
      await sleep(LOOK_MS)
    }
    const what = this.#child ? `did not answer within ${READY_MS_MAX / 1000} s` : 'ended while it started'
    await this.kill()
    throw new Error(`${this.#name} ${what}. The end of its log:\n${this.#readLog()}`)
  }

  /** Sends a signal that ends the process, and resolves when it has ended. */
  async kill(signal = 'SIGKILL') {
    this.#signal(signal)
    await this.#exited
  }

  /** Freezes the process: its connections stay and nobody answers. */
  pause() {
    this.#signal('SIGSTOP')
  }

  resume() {
    this.#signal('SIGCONT')
  }

  /** Stops it if it runs, and starts it with the same ports and the same data. */
  async restart() {
    await this.#end()
    await this.start()
  }

  /** Resolves when nothing runs any more. A temporary directory is gone then. */
  async stop() {
    await this.#end()
    this.discard()
  }

  /** As `stop`, at once and hard. */
  discard() {
    this.#signal('SIGKILL')
    alive.delete(this)
    if (this.#isTemporary) rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }

  async #end() {
    this.#signal('SIGTERM')
    this.resume() // a frozen process would not see the signal
    const hard = setTimeout(() => this.#signal('SIGKILL'), STOP_MS_MAX)
    await this.#exited
    clearTimeout(hard)
  }

  // To its whole group: Kafka's format is a process beside its shell. Both stay ours until the exit is seen.
  #signal(signal) {
    try {
      if (this.pid) process.kill(-this.pid, signal)
    } catch {
      // It has just ended by itself, and we are about to hear of it.
    }
  }

  #spawn() {
    const [file, ...args] = [...guard, ...this.#command(this.directory)]
    const log = openSync(this.log, 'a')
    // A group of its own: Ctrl-C in a terminal is for us, who stop it when nobody needs it any more.
    const child = spawn(file, args, { cwd: this.directory, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.on('error', resolve)
      child.on('exit', resolve)
    }).then(() => {
      this.#child = undefined
    })
  }

  #readLog() {
    return readFileSync(this.log, 'utf8').trim().split('\n').slice(-LOG_LINES).join('\n')
  }
}
