import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Spread, spreadOf } from './spread.js'

const SYNCS = 200

/** How long the disk of `folder` takes to make a KiB durable, in milliseconds. */
export function measureSync(folder: string): Spread {
  const path = join(folder, 'sync')
  const file = openSync(path, 'w')
  const kib = Buffer.alloc(1024, 'x')
  const ms = Array.from({ length: SYNCS }, () => {
    writeSync(file, kib)
    const startedMs = performance.now()
    fdatasyncSync(file)
    return performance.now() - startedMs
  })
  closeSync(file)
  rmSync(path)
  return spreadOf(Float64Array.from(ms))
}
