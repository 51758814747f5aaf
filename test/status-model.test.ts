import t from 'tap'
import { temporaryDirectory } from './harness/temporary-directory.js'
import { anyCommand, choiceOf, clockCommands, outageCommands } from './model/commands/any-command.js'
import { EmbeddedWorld } from './model/embedded-world.js'
import type { Times } from './model/plan.js'
import { modelMs, runModel } from './model/run-model.js'

// Status, control, retries and destinations against a model, on the embedded stream and with a clock that the test moves:
// so days pass in milliseconds, and every time is known to the millisecond.

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const TIMES: Times = {
  delaysMs: [1, SECOND_MS, 10 * MINUTE_MS, 3 * DAY_MS],
  retryDelaysMs: [0, 1, SECOND_MS, 5 * MINUTE_MS, DAY_MS],
  expiresInMs: [1, SECOND_MS, HOUR_MS, 2 * DAY_MS],
  maxAgesMs: [MINUTE_MS, DAY_MS, 366 * DAY_MS],
  movesMs: [0, 1, SECOND_MS, 20 * MINUTE_MS, 2 * DAY_MS],
}
const PASSES_MS = [1, 100, SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS, 40 * DAY_MS]
const COMMANDS = [
  ...anyCommand(TIMES, choiceOf(['at once', 'at once', 'as it comes due'])),
  ...clockCommands(PASSES_MS),
]
const BREAKER_FAILURES = 5

const FOR_MS = modelMs(20_000)
const STEPS_MIN = 200

t.setTimeout(2 * FOR_MS + 120_000)

t.test('whatever is asked for, and whenever, each invocation comes to one end by a legal way', (t) =>
  runModel(t, {
    commands: COMMANDS,
    commandsMax: 40,
    forMs: FOR_MS,
    stepsMin: STEPS_MIN,
    mustCome: ['told of an end'],
    start: () => EmbeddedWorld.start(temporaryDirectory(t)),
  }),
)

t.test('the same where a target dies, is probed, and is back', (t) =>
  runModel(t, {
    commands: [...COMMANDS, ...outageCommands(BREAKER_FAILURES)],
    commandsMax: 40,
    forMs: FOR_MS,
    stepsMin: STEPS_MIN,
    mustCome: ['told of an end', 'parks'],
    start: () => EmbeddedWorld.start(temporaryDirectory(t), BREAKER_FAILURES),
  }),
)
