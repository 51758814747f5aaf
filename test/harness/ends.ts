import type { JournalEntry } from '@posthaste/core'
import type { Test } from 'tap'
import type { BrokerInstallation } from './broker-installation.js'
import type { Fleet } from './fleet.js'
import { firstEntries, readJournal } from './journal.js'
import { checkLedger, Ledger } from './ledger.js'
import { checkpointReached, settled } from './settled.js'
import type { TargetServer } from './target-server.js'
import type { Traffic } from './traffic.js'

const SETTLE_MS_MAX = 120_000
/** A member that was cut off may wait twice for the end of a request, 15 s each, before it asks whether it still is one. */
const CHECKPOINT_MS_MAX = 60_000

export interface Story {
  readonly installation: BrokerInstallation
  readonly fleet: Fleet
  readonly target: TargetServer
  readonly traffic: Traffic
  /** When the last instruction has come due of which it is unknown whether it was accepted. */
  readonly fromMs: number
}

/**
 * Waits until all that was accepted has ended and the checkpoint says so, stops the processes, and checks the books.
 * Returns the journal.
 */
export async function checkEnds(t: Test, story: Story): Promise<JournalEntry[]> {
  const { fleet, fromMs, installation, target, traffic } = story
  const unsettled = { accepted: [...traffic.accepted.values()], fromMs, timeoutMs: SETTLE_MS_MAX }
  // What follows says more of why.
  await settled(installation, unsettled).catch((error: Error) => t.fail(error.message))
  await checkpointReached(fleet.listeners, CHECKPOINT_MS_MAX).catch((error: Error) => t.fail(error.message))
  await fleet.stop()
  const journal = await readJournal(installation)
  checkLedger(t, new Ledger({ ...traffic, arrivals: target.arrivals, journal: firstEntries(journal) }))
  return journal
}
