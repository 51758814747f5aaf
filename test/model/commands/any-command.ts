import fc from 'fast-check'
import type { Model } from '../model.js'
import { CORRELATION_IDS, planOf, type Times } from '../plan.js'
import type { World } from '../world.js'
import { Accept, AcceptAgain, Batch } from './accepting.js'
import { CancelAll, RedriveAll } from './bulk.js'
import { Cancel } from './cancel.js'
import { Await, Count, List } from './looking.js'
import { CancelAndMove, Move } from './move.js'
import type { Choice } from './of-one.js'
import { Outage, Turn } from './outage.js'
import { Pass, PassToNext, Release, Settle } from './passing.js'
import { Redrive } from './redrive.js'
import { RestartAccepter, RestartAll, StartListener, StopListener } from './restarting.js'

type Command = fc.AsyncCommand<Model, World>

const KEYS = ['key-1', 'key-2', 'key-3'] as const
const number = fc.nat({ max: 50 })
const door = fc.nat({ max: 1 })
const correlationId = fc.option(fc.constantFrom(...CORRELATION_IDS), { freq: 2, nil: undefined })
const bulk = fc.record({ door, correlationId, isDryRun: fc.integer({ min: 0, max: 2 }).map((of) => of === 0) })

/** What can be done anywhere. What stands more than once comes more often. */
export function anyCommand(times: Times, choice: fc.Arbitrary<Choice>): fc.Arbitrary<Command>[] {
  const plan = planOf(times)
  const accept = fc
    .tuple(plan, door, fc.option(fc.constantFrom(...KEYS), { freq: 2, nil: undefined }))
    .map(([plan, door, key]) => new Accept(plan, door, key))
  const cancel = choice.map((choice) => new Cancel(choice))
  const byMs = fc.constantFrom(...times.movesMs)
  const move = fc.tuple(choice, byMs).map(([choice, byMs]) => new Move(choice, byMs))
  const redrive = choice.map((choice) => new Redrive(choice))
  return [
    accept,
    accept,
    accept,
    cancel,
    move,
    redrive,
    redrive,
    fc.tuple(number, door, fc.boolean()).map((all) => new AcceptAgain(...all)),
    fc
      .tuple(fc.array(plan, { minLength: 1, maxLength: 5 }), door, fc.option(number, { nil: undefined }))
      .map((all) => new Batch(...all)),
    fc.tuple(choice, byMs).map(([choice, byMs]) => new CancelAndMove(choice, byMs)),
    bulk.map((choice) => new CancelAll(choice)),
    redriveAll,
    number.map((number) => new Release(number)),
    fc.constant(new StopListener()),
    fc.constant(new StartListener()),
    fc.constant(new StartListener()),
    list,
    fc.tuple(number, door).map((all) => new Await(...all)),
    fc.oneof(
      door.map((door) => new Count(door)),
      fc.constant(new Settle()),
    ),
    fc.oneof(
      door.map((door) => new RestartAccepter(door)),
      fc.constant(new RestartAll()),
    ),
  ]
}

/** What makes a difference where a target may count as dead after so many failures. */
export function outageCommands(failures: number): fc.Arbitrary<Command>[] {
  return [
    fc.constant(new Outage(failures)),
    fc.constant(new Outage(failures)),
    fc.boolean().map((isDown) => new Turn(isDown)),
    fc.constant(new Turn(false)),
  ]
}

/** What can be done where the test moves the clock. */
export function clockCommands(passesMs: readonly number[]): fc.Arbitrary<Command>[] {
  return [
    fc.constantFrom(...passesMs).map((ms) => new Pass(ms)),
    fc.constantFrom(0, 0, 1).map((lessMs) => new PassToNext(lessMs)),
    fc.constantFrom(0, 0, 1).map((lessMs) => new PassToNext(lessMs)),
  ]
}

export function choiceOf(whens: readonly Choice['when'][]): fc.Arbitrary<Choice> {
  return fc.record({ number, door, when: fc.constantFrom(...whens) })
}

const redriveAll = fc
  .tuple(bulk, fc.option(fc.constantFrom(1, 4), { nil: undefined }), fc.constantFrom('failed', 'expired', undefined))
  .map(([choice, rate, state]) => new RedriveAll(choice, rate, state as 'failed' | 'expired' | undefined))

const list = fc
  .record({
    door,
    limit: fc.constantFrom(1, 2, 3, 50),
    states: fc.subarray(['scheduled', 'retrying', 'succeeded', 'failed', 'expired', 'cancelled'] as const),
    correlationId,
    isOfSharedTarget: fc.boolean(),
  })
  .map((choice) => new List(choice))
