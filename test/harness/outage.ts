import { createId, encodeCall, type InstructionInput, parseInstruction } from '@posthaste/core'
import type { CountedAttempt } from '@posthaste/listener'
import type { Effects, NewRecord, StoredRecord } from '@posthaste/stream'
import { DyingTarget } from './dying-target.js'
import { SimulatedListener } from './simulated-listener.js'

export interface OutagePlan {
  readonly targets: number
  /** Instructions a second for all targets together. */
  readonly perSecond: number
  /** What comes within this time comes at once. */
  readonly stepMs: number
  readonly calmMs: number
  readonly outageMs: number
  /** Instructions more for the one that is dead, all at once, half a minute after it died. */
  readonly burst?: number
  readonly retry?: InstructionInput['retry']
}

/** What came of an outage of one target. Times by the simulated clock unless they say otherwise. */
export interface OutageFigures {
  readonly accepted: number
  /** Of these, for the one that was dead. */
  readonly acceptedForDead: number
  readonly succeeded: number
  readonly failed: number
  /** Calls made in vain, probes included. */
  readonly inVain: number
  /** Instructions that were parked, how often at the most, and all together. */
  readonly parked: number
  readonly parksMax: number
  readonly parks: number
  /** Instructions for the others that were moved aside for any reason. */
  readonly othersAside: number
  /** From its return to the first call that succeeded, and to the last of those that had been parked. */
  readonly firstAfterMs: number
  readonly lastAfterMs: number
  /** The most calls of one second after its return. */
  readonly busiestSecond: number
  /** Real time, for each step, from accepting what comes in it to the last call of that to the others. */
  readonly othersMs: Readonly<Record<Phase, readonly number[]>>
}

export type Phase = 'calm' | 'outage' | 'after'

const APPEND_RECORDS = 5_000
const BURST_AFTER_MS = 30_000
/** By then whatever was parked must be back: a park is three fifths of an outage at the most. */
const AFTER_SHARE_MAX = 0.8
const AFTER_MS_MIN = 90_000

/** Kills one of several targets for a while, with instructions for all of them coming in all the time. */
export async function simulateOutage(directory: string, plan: OutagePlan): Promise<OutageFigures> {
  const outage = new Outage(plan)
  try {
    return await outage.run(directory)
  } finally {
    await outage.stop()
  }
}

/** Half of them, all but one in a hundred, and all are within these. */
export function spreadOf(all: readonly number[]): string {
  const sorted = [...all].sort((one, other) => one - other)
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)
  return `${at(0.5)}, ${at(0.99)}, ${at(1)}`
}

class Outage {
  readonly #plan: OutagePlan
  readonly #others: DyingTarget[] = []
  #dead: DyingTarget | undefined
  #simulated: SimulatedListener | undefined
  /** How often each instruction for the dead one was parked. */
  readonly #parks = new Map<string, number>()
  readonly #othersMs: Record<Phase, number[]> = { calm: [], outage: [], after: [] }
  readonly #perSecond = new Map<number, number>()
  #accepted = 0
  #succeeded = 0
  #failed = 0
  #inVain = 0
  #othersAside = 0
  #othersDoneMs = 0
  #returnedMs = Number.POSITIVE_INFINITY
  #firstAfterMs: number | undefined
  #lastAfterMs = 0

  constructor(plan: OutagePlan) {
    this.#plan = plan
  }

  async run(directory: string): Promise<OutageFigures> {
    const { burst = 0, calmMs, outageMs, targets } = this.#plan
    const dead = await DyingTarget.start((id) => this.#heardByDead(id))
    this.#dead = dead
    while (this.#others.length < targets - 1) {
      const heard = (): void => {
        this.#othersDoneMs = performance.now()
      }
      this.#others.push(await DyingTarget.start(heard))
    }
    const simulated = await SimulatedListener.start(directory, {
      onCompleted: (record, effects) => this.#noteCompleted(record, effects),
      onAttempt: (attempt) => this.#noteAttempt(attempt),
    })
    this.#simulated = simulated
    await this.#pass('calm', calmMs)
    dead.die()
    await this.#pass('outage', BURST_AFTER_MS)
    for (let count = 0; count < burst; count += APPEND_RECORDS) {
      await this.#accept(Array(Math.min(APPEND_RECORDS, burst - count)).fill(dead))
    }
    await this.#pass('outage', outageMs - BURST_AFTER_MS)
    dead.revive()
    this.#returnedMs = simulated.clock.now()
    const afterMs = Math.max(AFTER_MS_MIN, outageMs * AFTER_SHARE_MAX)
    await this.#pass('after', afterMs)
    return this.#figures
  }

  async stop(): Promise<void> {
    await this.#simulated?.stop()
    await Promise.all([this.#dead, ...this.#others].map((target) => target?.stop()))
  }

  async #pass(phase: Phase, ms: number): Promise<void> {
    const { perSecond, stepMs } = this.#plan
    const { clock } = this.#simulated as SimulatedListener
    const all = [this.#dead as DyingTarget, ...this.#others]
    let due = 0
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      clock.pass(stepMs)
      due += (perSecond * stepMs) / 1_000
      const count = Math.floor(due)
      due -= count
      const startedMs = performance.now()
      await this.#accept(Array.from({ length: count }, () => all[this.#accepted++ % all.length] as DyingTarget))
      await (this.#simulated as SimulatedListener).drain()
      this.#othersMs[phase].push(this.#othersDoneMs - startedMs)
    }
  }

  async #accept(targets: readonly DyingTarget[]): Promise<void> {
    const { clock, stream } = this.#simulated as SimulatedListener
    const nowMs = clock.now()
    const records = targets.map((target): NewRecord => {
      const { retry } = this.#plan
      const content = parseInstruction({ target: `${target.url}/`, ...(retry && { retry }) }, nowMs)
      const call = {
        id: createId(nowMs),
        generation: 1,
        attempt: 1,
        acceptedAtMs: nowMs,
        depth: 0,
        method: 'POST',
        ...content,
      }
      if (target === this.#dead) this.#parks.set(call.id, 0)
      return { key: call.id, value: encodeCall(call) }
    })
    await stream.append('calls', records)
  }

  #noteCompleted({ key }: StoredRecord, { aside }: Effects): void {
    if (!aside) return
    const parks = this.#parks.get(key)
    if (parks === undefined) this.#othersAside += 1
    else this.#parks.set(key, parks + 1)
  }

  #noteAttempt({ origin, state }: CountedAttempt): void {
    if (state === 'succeeded') this.#succeeded += 1
    if (state === 'failed') this.#failed += 1
    if (state !== 'succeeded' && origin === this.#dead?.url) this.#inVain += 1
  }

  #heardByDead(id: string): void {
    const { clock } = this.#simulated as SimulatedListener
    const afterMs = clock.now() - this.#returnedMs
    if (!(afterMs >= 0)) return
    this.#firstAfterMs ??= afterMs
    if ((this.#parks.get(id) as number) > 0) this.#lastAfterMs = afterMs
    const second = Math.floor(afterMs / 1_000)
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + 1)
  }

  get #figures(): OutageFigures {
    const parks = [...this.#parks.values()]
    return {
      accepted: this.#accepted + (this.#plan.burst ?? 0),
      acceptedForDead: parks.length,
      succeeded: this.#succeeded,
      failed: this.#failed,
      inVain: this.#inVain,
      parked: parks.filter((count) => count > 0).length,
      parksMax: parks.reduce((most, count) => Math.max(most, count), 0),
      parks: parks.reduce((sum, count) => sum + count, 0),
      othersAside: this.#othersAside,
      firstAfterMs: this.#firstAfterMs ?? Number.POSITIVE_INFINITY,
      lastAfterMs: this.#lastAfterMs,
      busiestSecond: Math.max(0, ...this.#perSecond.values()),
      othersMs: this.#othersMs,
    }
  }
}
