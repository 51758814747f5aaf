import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.js'
import type { PosthasteProcess } from './posthaste-process.js'

/** An accepter's POST takes milliseconds, unless somebody holds LMDB's writer lock. */
const LOCKED_AFTER_MS = 1_000

/**
 * Freezes a process and returns at which attempt that came out well. A process that is frozen while it commits holds
 * LMDB's writer lock, a mutex in shared memory that is freed by its death and not by its sleep: until it wakes, nobody
 * can write, take the lease or answer 202. That is the embedded stream's limit and not what is tested here, so if the
 * accepter no longer answers, the process is woken and frozen at another moment.
 */
export async function freezeOutsideCommit(
  victim: PosthasteProcess,
  accepter: PosthasteProcess,
  target: string,
): Promise<number> {
  const client = new Client({ timeoutMs: LOCKED_AFTER_MS })
  try {
    for (let attempt = 1; ; attempt += 1) {
      victim.kill('SIGSTOP')
      const answer = await client.post(accepter.url, { target }).catch(() => undefined)
      if (answer?.status === 202) return attempt
      victim.kill('SIGCONT')
      await sleep(Math.random() * 100)
    }
  } finally {
    client.close()
  }
}
