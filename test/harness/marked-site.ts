import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashToken } from '@posthaste/core'
import type { Test } from 'tap'
import type { Installation } from './installation.js'
import { CONFIGURED } from './marks.js'
import { PosthasteProcess, type Role, type Settings } from './posthaste-process.js'
import { temporaryDirectory } from './temporary-directory.js'

const TRIES = 30

/** Who signs with them has these ids. */
export const KEYS = (['keyByValue', 'keyByEnv', 'keyByFile'] as const).map((id) => ({ id, secret: CONFIGURED[id] }))

export interface Kept {
  includes(part: string | Buffer): boolean
}

/** One installation, its secrets in files, and all that its processes print and answer. */
export class MarkedSite {
  readonly said: string[] = []
  readonly #installation: Installation
  readonly #directories: readonly string[]
  readonly #files: string
  readonly #test: Test

  /** `brokerDirectory` is where a broker of its own writes. */
  constructor(t: Test, targetUrl: string, installation: Installation, brokerDirectory?: string) {
    const { dataDir } = installation.settings
    this.#test = t
    this.#installation = installation
    this.#directories = [dataDir as string, ...(brokerDirectory === undefined ? [] : [brokerDirectory])]
    this.#files = temporaryDirectory(t)
    this.#write('tokens', {
      tokens: [
        {
          name: 'all',
          sha256: hashToken(CONFIGURED.token).toString('hex'),
          scopes: ['invoke', 'read', 'control', 'operate'],
          accessKeys: [
            { id: 'keyByValue', secret: CONFIGURED.keyByValue },
            { id: 'keyByEnv', secret: secretIn('keyByEnv') },
            { id: 'keyByFile', secret: this.#secretFile('keyByFile') },
          ],
        },
      ],
    })
    this.#write('functions', {
      functions: {
        marked: {
          url: `${targetUrl}/function`,
          headers: {
            'x-by-env': secretIn('functionHeaderByEnv'),
            'x-by-file': this.#secretFile('functionHeaderByFile'),
          },
        },
        gone: { url: 'http://127.0.0.1:1', headers: { authorization: secretIn('functionHeaderByEnv') } },
      },
    })
    this.#write('targets', {
      targets: [{ match: targetUrl, sign: { secrets: [`whsec_${CONFIGURED.signing}`] }, redact: ['/card'] }],
    })
    const [a, b] = [
      { id: 'a', key: CONFIGURED.keyA },
      { id: 'b', key: CONFIGURED.keyB },
    ]
    this.#write('keys-a', { keys: [a] })
    this.#write('keys-b', { keys: [b] })
    this.#write('keys-b-a', { keys: [b, a] })
  }

  /** Starts a process, and stops it after `use`. What it printed is remembered. */
  async run(role: Role, keys: string | undefined, use: (posthaste: PosthasteProcess) => Promise<void>): Promise<void> {
    const posthaste = new PosthasteProcess({ role, settings: this.#settings(keys) })
    this.#test.teardown(() => posthaste.stop())
    await posthaste.listening()
    await use(posthaste)
    for (const file of ['cmdline', 'comm']) {
      if (process.platform === 'linux') this.said.push(readFileSync(`/proc/${posthaste.pid}/${file}`, 'latin1'))
    }
    await posthaste.stop()
    this.said.push(posthaste.lines.map((line) => JSON.stringify(line)).join('\n'))
  }

  /** All that stands in files, of Posthaste and of its broker. */
  kept(): Kept {
    const entries = this.#directories.flatMap((directory) =>
      readdirSync(directory, { recursive: true, withFileTypes: true }),
    )
    const files = entries.filter((entry) => entry.isFile())
    const contents = files.map(({ name, parentPath }) => readIfThere(join(parentPath, name)))
    return { includes: (part) => contents.some((content) => content.includes(part)) }
  }

  #settings(keys: string | undefined): Settings {
    const { pingSecret } = CONFIGURED
    return {
      ...this.#installation.settings,
      ...{ tokens: this.#path('tokens'), targets: this.#path('targets'), functions: this.#path('functions') },
      pingSecret,
      ...{ logLevel: 'debug', logAttempts: 'all', ...(keys && { keys: this.#path(keys) }) },
    }
  }

  #path(name: string): string {
    return join(this.#files, `${name}.json`)
  }

  #write(name: string, content: object): void {
    writeFileSync(this.#path(name), JSON.stringify(content))
  }

  #secretFile(name: keyof typeof CONFIGURED): { readonly file: string } {
    writeFileSync(join(this.#files, name), `${CONFIGURED[name]}\n`)
    return { file: name }
  }
}

/** In a variable that the processes have of this one. */
function secretIn(name: keyof typeof CONFIGURED): { readonly env: string } {
  const env = `MARKED_${name}`
  process.env[env] = CONFIGURED[name]
  return { env }
}

/** A broker removes files while they are looked at. */
function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

export interface Answered {
  readonly status: number
  readonly text: string
}

/** Asks as one who may do everything. */
export class Client {
  readonly url: string

  constructor({ url }: PosthasteProcess) {
    this.url = url
  }

  async ask(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answered> {
    const response = await this.fetch(method, path, body, more)
    return { status: response.status, text: await response.text() }
  }

  /** Without an `authorization` of `more` that is empty. */
  fetch(method: string, path: string, body: unknown, more: Record<string, string>): Promise<Response> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${CONFIGURED.token}`, ...more }
    return fetch(this.url + path, {
      method,
      headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }

  async post(body: object, more?: Record<string, string>): Promise<string> {
    const { status, text } = await this.ask('POST', '/invocations', body, more)
    if (status !== 202) throw new Error(`${status} ${text}`)
    return JSON.parse(text).id
  }

  async ended(id: string): Promise<{ state: string }> {
    let answer = await this.ask('GET', `/invocations/${id}?wait=30s`)
    for (let left = TRIES; left > 0 && answer.status !== 200; left -= 1) {
      // What another producer wrote is not known before it is read.
      await sleep(1_000)
      answer = await this.ask('GET', `/invocations/${id}?wait=30s`)
    }
    return JSON.parse(answer.text)
  }
}
