import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type PosthasteOptions, PosthasteProcess } from '@posthaste/test/harness/posthaste-process.js'
import type { Site } from './site.js'

/** What is measured: something that takes instructions at a URL, in a process. */
export interface System {
  readonly name: 'posthaste' | 'floor'
  readonly url: string
  readonly pid: number
  /** Resolves when everything that was accepted is called and recorded. */
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface StartOptions extends Pick<PosthasteOptions, 'nodeArguments' | 'settings'> {
  /** One that may `operate`, where that is needed. */
  readonly token?: string
}

export async function startFloor(): Promise<System> {
  const child = fork(new URL('./floor-process.js', import.meta.url))
  const [url] = (await once(child, 'message')) as [string]
  return {
    name: 'floor',
    url,
    pid: child.pid as number,
    async settle() {},
    async stop() {
      const exit = once(child, 'exit')
      child.disconnect()
      await exit
    },
  }
}

/** Starts Posthaste as it comes, on an installation of its own, which goes when it stops. */
export async function startPosthaste(site: Site, { settings = {}, ...others }: StartOptions = {}): Promise<System> {
  const installation = site.install()
  const options = { ...others, settings: { ...installation.settings, ...settings } }
  const system = await startRole('start', installation.dataDir, options)
  return {
    ...system,
    async stop() {
      await system.stop()
      installation.remove()
    },
  }
}

/** Starts a part of Posthaste, or all of it, on a data directory. */
export async function startRole(
  role: PosthasteOptions['role'],
  dataDir: string,
  { token, ...options }: StartOptions = {},
): Promise<System> {
  const posthaste = await PosthasteProcess.start({ role, dataDir, ...options })
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return {
    name: 'posthaste',
    url: posthaste.url,
    pid: posthaste.pid,
    async settle() {
      let drained = false
      while (!drained) {
        const response = await fetch(`${posthaste.url}/cycle?wait=10s`, { method: 'POST', headers })
        drained = ((await response.json()) as { drained: boolean }).drained
      }
    },
    async stop() {
      await posthaste.stop()
    },
  }
}
