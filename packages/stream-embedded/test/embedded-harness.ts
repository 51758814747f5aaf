import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@posthaste/core'
import { Environment, LmdbCheckpointStore, type Table } from '@posthaste/storage'
import type { Stream } from '@posthaste/stream'
import type { StreamHarness, StreamStorage } from '@posthaste/stream/contract'
import { EmbeddedStream, type EmbeddedStreamOptions } from '../src/embedded-stream.js'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
export const keepAll = { ageMs: 3_600_000, bytes: 2 ** 40 }

export const embeddedHarness: StreamHarness = {
  promptMsMax: 250,
  waitMsMax: 5_000,
  deposes: true,
  create: async () => new EmbeddedStorage(),
}

/** A data directory with one environment: a second one in the same thread would wait for the first one's writer. */
class EmbeddedStorage implements StreamStorage {
  readonly #directory = makeDirectory()
  readonly #environment = new Environment({ directory: this.#directory, reserveBytes: 0 })
  readonly #silence = new Map<Stream, () => void>()

  open(): Stream {
    const { environment, silence } = silenceable(this.#environment)
    const stream = new EmbeddedStream(optionsFor(environment))
    this.#silence.set(stream, silence)
    return stream
  }

  async crash(stream: Stream): Promise<void> {
    this.#silence.get(stream)?.()
    await this.depose()
    // Ends its timers and its polling. It waits for writes that will not come, so nobody waits for it.
    void stream.stop()
  }

  /** All streams share a process here, so the lease is made to name another one, that is gone. */
  async depose(): Promise<void> {
    const leases: Table<string> = this.#environment.table('leases')
    await this.#environment.commit(() => {
      for (const { key, value } of [...leases.getRange()]) {
        leases.putSync(key, Buffer.from(JSON.stringify({ ...JSON.parse(value.toString()), pid: goneProcess })))
      }
    })
  }

  async destroy(): Promise<void> {
    await this.#environment.close()
    rmSync(this.#directory, { recursive: true })
  }
}

const goneProcess = spawnSync(process.execPath, ['--version']).pid

/** The same environment for one stream alone, which can be made to hear of no commit any more. */
function silenceable(whole: Environment): { environment: Environment; silence: () => void } {
  let isSilent = false
  const environment = new Proxy(whole, {
    get(target, name) {
      if (isSilent && name === 'commit') return () => new Promise(() => {})
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return {
    environment,
    silence: () => {
      isSilent = true
    },
  }
}

export function makeDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'posthaste-test-'))
}

export function optionsFor(environment: Environment): EmbeddedStreamOptions {
  const checkpoints = new LmdbCheckpointStore(environment)
  return { environment, checkpoints, journalRetention: keepAll, log: silent }
}
