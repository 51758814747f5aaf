import type { JournalEntry } from '@posthaste/core'
import type { Test } from 'tap'
import { type Door, expectedOf, finalStateOf, type Kind, type Plan, readPath } from './instruction-mix.js'
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

/** The life of one invocation, be it one that tells of another's end. */
interface Account {
  readonly kind: Kind
  readonly number: number
  readonly door: Door
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
    return [...this.#accounts.values()].flatMap(({ door, id, kind, number }) => {
      if (this.#books.plans[number]?.kind !== kind) return [`${id} was never asked for`]
      const name = `${number} (${door})`
      const other = ids.get(name) ?? (door === 'call' ? this.#books.accepted.get(number) : undefined) ?? id
      ids.set(name, id)
      return other === id ? [] : [`${name} is both ${other} and ${id}`]
    })
  }

  /** One entry for each attempt, the last of them final: as many, and in the state, as the target's answers ask for. */
  wronglyRecorded(): string[] {
    return [...this.#accounts.values()].flatMap((account) => {
      const { door, entries, id, kind } = account
      const attempts = door === 'call' ? expectedOf(kind).statuses.length : 1
      const final = door === 'call' ? finalStateOf(kind) : 'succeeded'
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

  /** Who asked to be told gets one call, with the answer to the last attempt; nobody else gets any. */
  wronglyTold(): string[] {
    const named = new Set<string>()
    const faults: string[] = []
    for (const { door, entries, id, kind } of this.#accounts.values()) {
      const { forwarded, told } = expectedOf(kind)
      const wanted = door === 'call' ? [...(forwarded ? ['forward'] : []), ...(told ? ['told'] : [])] : []
      const children = entries.flatMap(childrenOf)
      const found = children.map(([role]) => role)
      if (String(found) !== String(wanted)) faults.push(`${kind} ${id} has told [${found}], not [${wanted}]`)
      for (const [role, child] of children) {
        named.add(child)
        faults.push(...this.#wrongChild(id, kind, role, child))
      }
    }
    for (const { door, id } of this.#accounts.values()) {
      if (door !== 'call' && !named.has(id)) faults.push(`${id} tells of what no final entry names`)
    }
    return faults
  }

  /** No attempt came before its time: the first before the deferred time, the others before what the retry said. */
  early(): string[] {
    return [...this.#accounts.values()].flatMap(({ arrivals, door, entries, id, number }) =>
      arrivals.flatMap(({ atMs, attempt }) => {
        const retryMs = entries.find((entry) => entry.attempt === attempt - 1)?.nextAttemptAtMs
        const deferredMs = door === 'call' ? (this.#books.plans[number] as Plan).notBeforeMs : 0
        const earlyMs = (retryMs ?? deferredMs) - atMs
        return earlyMs > 0 ? [`${id}: attempt ${attempt} came ${earlyMs} ms early`] : []
      }),
    )
  }

  #wrongChild(id: string, kind: Kind, role: Door, child: string): string[] {
    const { arrivals = [], door } = this.#accounts.get(child) ?? {}
    const answer = `answer ${expectedOf(kind).statuses.length}`
    if (arrivals.length === 0 || door !== role) return [`${child}, by which ${id} is ${role}, never came`]
    const told = arrivals.map(({ body }) => (role === 'told' ? JSON.parse(body).responsePayload : body))
    if (told.every((one) => one === answer) && arrivals.every((arrival) => arrival.id === id)) return []
    return [`${child}, by which ${id} is ${role}, brings another answer than "${answer}"`]
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
  none(ledger.wronglyTold(), 'who is to be told of an end is told under one id')
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

/** Who is told by an entry, and in which invocation. */
function childrenOf({ destination, forward }: JournalEntry): (readonly [Door, string])[] {
  const all = [['forward', forward] as const, ['told', destination] as const]
  return all.flatMap(([role, child]) => (child && 'id' in child ? [[role, child.id] as const] : []))
}

function describe(attempt: number, state: string): string {
  return `${attempt} ${state}`
}
