// What the brokers are made of is fetched once a machine and kept in the user's cache directory.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'posthaste', 'brokers')
const PARTIAL = '.partial-'
const DOWNLOAD_MS_MAX = 600_000
const LINES = 10

const execute = promisify(execFile)

export function cachedPath(name) {
  return join(cache, name)
}

export function isCached(name) {
  return existsSync(cachedPath(name))
}

/** Returns the directory `name` of the cache. When it is not there, `download(directory)` fills it first. */
export async function cached(name, download) {
  if (isCached(name)) return cachedPath(name)
  mkdirSync(cache, { recursive: true })
  removeAbandoned()
  const partial = mkdtempSync(join(cache, PARTIAL))
  try {
    console.error(`Downloading ${name} into ${cache}`)
    await download(partial)
    keep(partial, cachedPath(name))
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
  return cachedPath(name)
}

/** Runs what downloads. @throws Error with the end of what it printed. */
export async function runDownload(command, args, env = {}) {
  try {
    await execute(command, args, { env: { ...process.env, ...env }, timeout: DOWNLOAD_MS_MAX })
  } catch (error) {
    const printed = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().split('\n').slice(-LINES).join('\n')
    throw new Error(`the download with ${command} failed: ${printed || error.message}`)
  }
}

// Two runs may download the same thing at once. The first to rename wins, and the other takes what is there.
function keep(partial, path) {
  try {
    renameSync(partial, path)
  } catch (error) {
    if (!existsSync(path)) throw error
  }
}

// A download that was killed leaves its directory behind. An older one than a download may take is nobody's any more.
function removeAbandoned() {
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith(PARTIAL))) {
    const { mtimeMs } = statSync(join(cache, name), { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() }
    if (Date.now() - mtimeMs > 2 * DOWNLOAD_MS_MAX) rmSync(join(cache, name), { recursive: true, force: true })
  }
}
