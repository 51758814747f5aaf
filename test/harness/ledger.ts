import type { JournalEntry } from '@posthaste/core'
import type { Test } from 'tap'
import { expectedOf, finalStateOf, type Kind, type Plan, readPath } from './instruction-mix.js'
import type { Arrival } from './target-server.js'

const FAULTS_SHOWN = 10

/** Everything that is known once all is over. */
export interface Books {
  readonly plans: readonly Plan[]
  /** The ids of the instructions that got 202, by number. */
  readonly accepted: ReadonlyMap<number, string>
  readonly arrivals: readonly Arrival[]
  readonly journal: readonly JournalEntry[]
}

/** The life of one invocation, a forward included. */
interface Account {
  readonly kind: Kind
  readonly number: number
  readonly isForward: boolean
  readonly id: string
  readonly entries: JournalEntry[]
  readonly arrivals: Arrival[]
}

/**
 * Compares what was asked for, what the targets saw and what the journal says. Each method returns what breaks its
 * rule, in words. The rules hold for whatever has a trace, whether it got 202 or not.
 */
export class Ledger {
  readonly #books: Books
  readonly #accounts = new Map<string, Account>()

  constructor(books: Books) {
    this.#books = books
    for (const entry of books.journal) this.#account(entry.id, entry.target ?? '').entries.push(entry)
    for (const arrival of books.arrivals) this.#account(arrival.key, arrival.path).arrivals.push(arrival)
  }

  get invocations(): number {
    return this.#accounts.size
  }

  /** What got 202 was called, under the id that the answer said. */
  lost(): string[] {
    return [...this.#books.accepted]
      .filter(([, id]) => !this.#accounts.get(id)?.arrivals.length)
      .map(([number, id]) => `${number} (${id}) got 202 and was never called`)
  }

  /** One instruction is one invocation, and nothing was called or recorded that nobody asked for. */
  foreign(): string[] {
    const ids = new Map<string, string>()
    return [...this.#accounts.values()].flatMap(({ id, isForward, kind, number }) => {
      if (this.#books.plans[number]?.kind !== kind) return [`${id} was never asked for`]
      const name = `${number}${isForward ? ' (forward)' : ''}`
      const other = ids.get(name) ?? (isForward ? undefined : this.#books.accepted.get(number)) ?? id
      ids.set(name, id)
      return other === id ? [] : [`${name} is both ${other} and ${id}`]
    })
  }

  /** One entry for each attempt, the last of them final: as many, and in the state, as the target's answers ask for. */
  wronglyRecorded(): string[] {
    return [...this.#accounts.values()].flatMap((account) => {
      const { entries, id, isForward, kind } = account
      const attempts = isForward ? 1 : expectedOf(kind).statuses.length
      const final = isForward ? 'succeeded' : finalStateOf(kind)
      const wanted = Array.from({ length: attempts }, (_, index) =>
        describe(index + 1, index + 1 < attempts ? 'retrying' : final),
      )
      const found = entries.map(({ attempt, state }) => describe(attempt, state))
      return String(found) === String(wanted) ? [] : [`${kind} ${id} is recorded as [${found}], not [${wanted}]`]
    })
  }

  /** The target saw each attempt that the journal has, and no other. */
  wronglyCalled(): string[] {
    return [...this.#accounts.values()].flatMap(({ arrivals, entries, id, kind }) => {
      const called = [...new Set(arrivals.map(({ attempt }) => attempt))].sort((a, b) => a - b)
      const recorded = entries.map(({ attempt }) => attempt)
      return String(called) === String(recorded)
        ? []
        : [`${kind} ${id}: attempts [${called}] came, [${recorded}] are recorded`]
    })
  }

  /** Who asked for a forward gets one, with the answer to the last attempt; nobody else gets any. */
  wronglyForwarded(): string[] {
    const named = new Set<string>()
    const faults: string[] = []
    for (const { entries, id, isForward, kind } of this.#accounts.values()) {
      const wanted = !isForward && expectedOf(kind).forwarded === true
      const forwards = entries.flatMap(({ forward }) => (forward && 'id' in forward ? [forward.id] : []))
      if (forwards.length !== (wanted ? 1 : 0)) faults.push(`${kind} ${id} has ${forwards.length} forwards`)
      for (const forward of forwards) {
        named.add(forward)
        faults.push(...this.#wrongForward(id, kind, forward))
      }
    }
    for (const { id, isForward } of this.#accounts.values()) {
      if (isForward && !named.has(id)) faults.push(`${id} forwards what no final entry names`)
    }
    return faults
  }

  /** No attempt came before its time: the first before the deferred time, the others before what the retry said. */
  early(): string[] {
    return [...this.#accounts.values()].flatMap(({ arrivals, entries, id, isForward, number }) =>
      arrivals.flatMap(({ atMs, attempt }) => {
        const retryMs = entries.find((entry) => entry.attempt === attempt - 1)?.nextAttemptAtMs
        const deferredMs = isForward ? 0 : (this.#books.plans[number] as Plan).notBeforeMs
        const earlyMs = (retryMs ?? deferredMs) - atMs
        return earlyMs > 0 ? [`${id}: attempt ${attempt} came ${earlyMs} ms early`] : []
      }),
    )
  }

  #wrongForward(id: string, kind: Kind, forward: string): string[] {
    const arrivals = this.#accounts.get(forward)?.arrivals ?? []
    const body = `answer ${expectedOf(kind).statuses.length}`
    if (arrivals.length === 0) return [`the forward ${forward} of ${id} never came`]
    if (arrivals.every((arrival) => arrival.body === body && arrival.id === id)) return []
    return [`the forward ${forward} of ${id} brings another answer than "${body}"`]
  }

  #account(id: string, path: string): Account {
    let account = this.#accounts.get(id)
    if (!account) {
      account = { id, ...readPath(path.replace(/^https?:\/\/[^/]+/, '')), entries: [], arrivals: [] }
      this.#accounts.set(id, account)
    }
    return account
  }
}

/** Checks every rule. */
export function checkLedger(t: Test, ledger: Ledger): void {
  const none = (faults: string[], rule: string) => t.strictSame(faults.slice(0, FAULTS_SHOWN), [], rule)
  none(ledger.lost(), 'what got 202 reached its target')
  none(ledger.foreign(), 'one instruction is one invocation')
  none(ledger.wronglyRecorded(), 'every attempt is recorded once and the last one alone is final')
  none(ledger.wronglyCalled(), 'the target saw the attempts that are recorded')
  none(ledger.wronglyForwarded(), 'what is to be forwarded is forwarded under one id')
  none(ledger.early(), 'nothing came before its time')
}

/** What tells one call from all others: seen twice, it was repeated. */
export function callName({ attempt, generation, key }: Pick<Arrival, 'attempt' | 'generation' | 'key'>): string {
  return `${key} ${generation}.${attempt}`
}

/** The call that a journal entry records. */
export function recordedCall({ attempt, generation, id }: JournalEntry): string {
  return callName({ attempt, generation, key: id })
}

function describe(attempt: number, state: string): string {
  return `${attempt} ${state}`
}
