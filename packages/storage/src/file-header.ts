import { closeSync, openSync, readSync } from 'node:fs'
import { PosthasteError } from '@posthaste/core'

/** How the first page of an LMDB file says what it is: a number, and the version of its form, as the machine writes them. */
const MARK = [0xbeefc0de, 2]
const MARK_AT = 24
const MARK_BYTES = 8

/**
 * Checks that a file can be opened, if it is there: the library ends the process over one that it cannot read.
 * @throws PosthasteError `stream-unfit`
 */
export function checkHeader(path: string): void {
  const bytes = new Uint8Array(MARK_AT + MARK_BYTES)
  const count = readStart(path, bytes)
  const mark = new Uint32Array(bytes.buffer, MARK_AT)
  if (count === 0 || MARK.every((number, at) => mark[at] === number)) return
  throw new PosthasteError('stream-unfit', `${path} is damaged, or another version of LMDB wrote it.`)
}

/** How many bytes could be read; 0 where there is nothing yet. */
function readStart(path: string, bytes: Uint8Array): number {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
  try {
    return readSync(file, bytes)
  } finally {
    closeSync(file)
  }
}
