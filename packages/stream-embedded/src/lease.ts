import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Checkpoint, Environment, LmdbCheckpointStore, Table } from '@posthaste/storage'

/** How long a listener that says nothing keeps its lease. */
export const LEASE_MS = 10_000
/** A holder stops trusting its lease this long before others may take it. */
const MARGIN_MS = 1_000

interface Entry {
  readonly member: string
  /** By `machineMs`. */
  readonly expiresAtMs: number
  readonly pid: number
  /** The processes among which `pid` means something. */
  readonly processes: string
}

export interface Holder {
  readonly owner: 'this' | 'other' | 'none'
  readonly member: string
}

/**
 * Lets one member at a time own the calls. Whoever takes the lease claims the next epoch of the checkpoint in the same
 * transaction, so what an earlier owner completes late is refused whatever it believes. Expiry only decides when
 * another may take over; a lease whose process is gone can be taken at once.
 */
export class Lease {
  readonly #environment: Environment
  readonly #checkpoints: LmdbCheckpointStore
  readonly #table: Table<string>
  readonly #key: string
  readonly #member: string
  #epoch: number | undefined
  /** By `machineMs`. */
  #trustedUntilMs = 0

  constructor(environment: Environment, checkpoints: LmdbCheckpointStore, key: string, member: string) {
    this.#environment = environment
    this.#checkpoints = checkpoints
    this.#table = environment.table('leases')
    this.#key = key
    this.#member = member
  }

  /** Whether nobody else can have taken the lease yet. */
  isTrusted(): boolean {
    return this.#epoch !== undefined && machineMs() < this.#trustedUntilMs
  }

  /** Takes the lease if nobody holds it and returns the checkpoint to go on from. */
  async take(): Promise<Checkpoint | undefined> {
    this.#environment.refresh()
    if (!this.#isFree()) return undefined
    const startedMs = machineMs()
    const claim = await this.#environment.commit(() => {
      if (!this.#isFree()) return undefined
      this.#write(machineMs() + LEASE_MS)
      return this.#checkpoints.claimNow(this.#key)
    })
    if (!claim) return undefined
    this.#epoch = claim.epoch
    this.#trustedUntilMs = startedMs + LEASE_MS - MARGIN_MS
    return claim.checkpoint
  }

  /** Holds the lease for longer. Resolves false, and gives it up, if another took it. */
  async renew(): Promise<boolean> {
    const startedMs = machineMs()
    const held = await this.#environment.commit(() => {
      if (!this.isCurrentNow()) return false
      this.#write(machineMs() + LEASE_MS)
      return true
    })
    if (held) this.#trustedUntilMs = startedMs + LEASE_MS - MARGIN_MS
    else this.#epoch = undefined
    return held
  }

  /** For use inside `Environment.commit`: whether the lease is still ours. */
  isCurrentNow(): boolean {
    return this.#epoch !== undefined && this.#checkpoints.isCurrent(this.#key, this.#epoch)
  }

  /** For use inside `Environment.commit`: saves the checkpoint unless the lease was lost. */
  saveNow(checkpoint: Checkpoint): boolean {
    return this.#epoch !== undefined && this.#checkpoints.saveNow(this.#key, this.#epoch, checkpoint) === 'saved'
  }

  /** Gives the lease up without telling the others: they see the later epoch, or an expired lease. */
  forget(): void {
    this.#epoch = undefined
  }

  async release(): Promise<void> {
    if (this.#epoch === undefined) return
    await this.#environment.commit(() => {
      if (this.isCurrentNow()) this.#write(0)
    })
    this.#epoch = undefined
  }

  /** The checkpoint that was saved last, whoever saved it. */
  lastCheckpoint(): Promise<Checkpoint> {
    return this.#checkpoints.read(this.#key)
  }

  holder(): Holder {
    const entry = this.#read()
    if (this.#epoch !== undefined) return { owner: 'this', member: this.#member }
    return entry && !isOver(entry) ? { owner: 'other', member: entry.member } : { owner: 'none', member: '' }
  }

  #isFree(): boolean {
    const entry = this.#read()
    return entry === undefined || isOver(entry)
  }

  #read(): Entry | undefined {
    const bytes = this.#table.get(this.#key)
    return bytes && (JSON.parse(bytes.toString()) as Entry)
  }

  #write(expiresAtMs: number): void {
    const entry: Entry = { member: this.#member, expiresAtMs, pid: process.pid, processes: PROCESSES }
    this.#table.putSync(this.#key, Buffer.from(JSON.stringify(entry)))
  }
}

function isOver({ expiresAtMs, processes, pid }: Entry): boolean {
  const leftMs = expiresAtMs - machineMs()
  // More than a whole lease is left only if the machine was started anew since, and its clock with it.
  return leftMs <= 0 || leftMs > LEASE_MS || (processes === PROCESSES && isGone(pid))
}

/**
 * Milliseconds by the clock that all processes of a machine share and that no change of the time of day touches: were
 * it the time of day, a clock put forward would give the lease away while its holder trusts it.
 */
function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Process ids mean something within one PID namespace of one machine only: containers have their own. */
const PROCESSES = ((): string => {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return `${hostname()} ${process.platform}`
  }
})()
