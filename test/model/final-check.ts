import { isFinalState, type JournalEntry } from '@posthaste/core'
import type { Shown, ShownAttempt } from '../harness/control.js'
import { isFinal } from '../harness/journal.js'
import { bears, idOf, type Origin } from './child.js'
import { Count } from './commands/looking.js'
import { turn } from './commands/outage.js'
import { msToNext, releaseAll } from './commands/passing.js'
import type { InvocationModel } from './invocation-model.js'
import { isOver, type Life } from './life.js'
import type { Model } from './model.js'
import { settle } from './settle.js'
import type { World } from './world.js'

type Role = Origin['role']

/** More times than anything can be due. */
const ROUNDS_MAX = 1_000

/**
 * Lets all time pass until everything has ended, and checks that each came to its one end by a legal way.
 * @throws Error that says what did not
 */
export async function checkEnds(model: Model, world: World): Promise<void> {
  if (!world.hasListener) await world.startListener()
  await letAllEnd(model, world)
  await new Count(0).run(model, world)
  const ends = endsOf(await world.journal())
  for (const invocation of model.invocations) {
    const { json } = await world.door(1).get(invocation.id)
    const faults = faultsOf(invocation, json as Shown, ends.get(invocation.id) ?? [])
    if (faults.length > 0) throw new Error(`${invocation}: ${faults.join('; ')}\n${JSON.stringify(json, undefined, 2)}`)
  }
  const unknown = [...ends.keys()].filter((id) => !model.has(id))
  if (unknown.length > 0) throw new Error(`Nobody was given these ids: ${unknown}`)
}

async function letAllEnd(model: Model, world: World): Promise<void> {
  await turn(model, world, false)
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await settle(model, world)
    const released = releaseAll(model, world)
    const aheadMs = msToNext(model, world)
    if (released === 0 && !Number.isFinite(aheadMs)) break
    if (released === 0) await world.hasten(model, aheadMs)
  }
  const open = model.invocations.filter(({ lives }) => !lives.every(isOver))
  if (open.length > 0) throw new Error(`These do not end: ${open.join(', ')}`)
}

/** The final entries of each invocation, in the order of the journal. */
function endsOf(journal: readonly JournalEntry[]): Map<string, JournalEntry[]> {
  const ends = new Map<string, JournalEntry[]>()
  for (const entry of journal.filter(isFinal)) ends.set(entry.id, [...(ends.get(entry.id) ?? []), entry])
  return ends
}

function faultsOf(invocation: InvocationModel, shown: Shown, ends: readonly JournalEntry[]): string[] {
  return [
    ...(isFinalState(shown.state) ? [] : [`it is ${shown.state}`]),
    ...endFaults(shown, ends),
    ...historyFaults(invocation, shown),
    ...childFaults(invocation, shown),
    ...invocation.calls.answeredAfterCancel,
  ]
}

/** One end for each generation, and nothing but a dead letter is redriven. */
function endFaults({ generation, state }: Shown, ends: readonly JournalEntry[]): string[] {
  const first = new Map<number, JournalEntry>()
  for (const entry of ends) if (!first.has(entry.generation)) first.set(entry.generation, entry)
  const faults = Array.from({ length: generation }, (_, index) => index + 1).flatMap((number) => {
    const end = first.get(number)?.state
    if (number === generation) return end === state ? [] : [`generation ${number} ended as ${end}`]
    return end === 'failed' || end === 'expired' ? [] : [`generation ${number} ended as ${end} and was redriven`]
  })
  return first.size === generation ? faults : [...faults, `${first.size} generations ended, and not ${generation}`]
}

/** It names those who tell of its end. */
function childFaults(
  invocation: InvocationModel,
  shown: Shown & { readonly [role in Role]?: { id?: string } },
): string[] {
  const [life] = invocation.lives as [Life]
  return (['forward', 'destination'] as const).flatMap((role) => {
    const origin = { parent: invocation, generation: life.generation, role }
    const id = bears(origin, life) ? idOf(origin) : undefined
    return shown[role]?.id === id ? [] : [`its ${role} is ${shown[role]?.id}, and not ${id}`]
  })
}

/** Attempts count up from 1 in each generation, one after another in time; what came of each follows from its answer. */
function historyFaults({ calls, plan }: InvocationModel, { attempts, generation, state }: Shown): string[] {
  const faults = attempts.flatMap((attempt, index): string[] => {
    const last = attempts[index - 1]
    const next = attempts[index + 1]
    const name = `attempt ${attempt.generation}.${attempt.attempt}`
    const isLast = next?.generation !== attempt.generation
    const number = last?.generation === attempt.generation ? last.attempt + 1 : 1
    return [
      ...(attempt.attempt === number ? [] : [`${name} should be number ${number}`]),
      ...(attempt.attempt <= plan.maxAttempts ? [] : [`${name} is more than ${plan.maxAttempts}`]),
      ...(last && Date.parse(last.startedAt) > Date.parse(attempt.startedAt) ? [`${name} is before the last`] : []),
      ...(calls.wasCalled(attempt.generation, attempt.attempt) || isGivenUp(attempt)
        ? []
        : [`${name} did not come to the target`]),
      ...(isSuccess(attempt) === (isLast && attempt.generation === generation && state === 'succeeded')
        ? []
        : [`${name} was answered ${attempt.status}`]),
    ]
  })
  return faults
}

/** It may have been so before it came to the target. */
function isGivenUp({ failure }: ShownAttempt): boolean {
  return failure?.code === 'cancelled'
}

/** One that asked for another attempt, and got it, has a failure. */
function isSuccess({ failure, status }: ShownAttempt): boolean {
  return status !== undefined && status >= 200 && status < 300 && !failure
}
