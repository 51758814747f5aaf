import { actContract } from './act.js'
import { actMembersContract } from './act-members.js'
import { appendContract } from './append.js'
import { beatsContract } from './beats.js'
import { beginContract } from './begin.js'
import { checkOutContract } from './check-out.js'
import { completeContract } from './complete.js'
import { consumeContract } from './consume.js'
import type { ContractTest } from './contract-test.js'
import { controlContract } from './control.js'
import { followContract } from './follow.js'
import type { StreamHarness } from './harness.js'
import { lifecycleContract } from './lifecycle.js'
import { membersContract } from './members.js'
import { notesContract } from './notes.js'
import { timersContract } from './timers.js'
import { trimContract } from './trim.js'

export type { ContractTest } from './contract-test.js'
export type { StreamHarness, StreamStorage } from './harness.js'

/**
 * What every backend must keep, whatever it is built on. `t` is tap's. Each test has a storage of its own. What a
 * backend declares in `supports` is checked both where it is present and where it is absent.
 */
export function streamContract(t: ContractTest, harness: StreamHarness): void {
  lifecycleContract(t, harness)
  appendContract(t, harness)
  consumeContract(t, harness)
  completeContract(t, harness)
  beginContract(t, harness)
  timersContract(t, harness)
  checkOutContract(t, harness)
  notesContract(t, harness)
  membersContract(t, harness)
  actContract(t, harness)
  actMembersContract(t, harness)
  followContract(t, harness)
  beatsContract(t, harness)
  controlContract(t, harness)
  trimContract(t, harness)
}
