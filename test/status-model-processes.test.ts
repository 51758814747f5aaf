import t from 'tap'
import { type Backend, embedded, kafka, nats, testOn } from './harness/backends.js'
import { temporaryDirectory } from './harness/temporary-directory.js'
import { anyCommand, choiceOf } from './model/commands/any-command.js'
import type { Times } from './model/plan.js'
import { ProcessWorld } from './model/process-world.js'
import { modelMs, runModel } from './model/run-model.js'

// Status, control, retries and destinations against a model as in status-model.test.ts, fewer, with real processes, which
// are killed, and real time: what waits does so for moments, or for hours and is moved.

const HOUR_MS = 3_600_000

const TIMES: Times = {
  delaysMs: [300, HOUR_MS],
  retryDelaysMs: [50, 50, HOUR_MS],
  expiresInMs: [2 * HOUR_MS],
  maxAgesMs: [24 * HOUR_MS],
  movesMs: [0, 300, 1.5 * HOUR_MS],
}

const FOR_MS = modelMs(20_000)
const STEPS_MIN = 40
/** For the run that has begun by then, and on a slow machine for another. */
const LAST_RUN_MS = 100_000

t.setTimeout(3 * (FOR_MS + LAST_RUN_MS))

for (const backend of [embedded, nats, kafka] satisfies Backend[]) {
  testOn(t, backend, 'each invocation comes to one end by a legal way', FOR_MS + LAST_RUN_MS, async (t) => {
    await runModel(t, {
      commands: anyCommand(TIMES, choiceOf(['at once'])),
      commandsMax: 40,
      forMs: FOR_MS,
      stepsMin: STEPS_MIN,
      mustCome: ['told of an end'],
      start() {
        const viewDirectory = backend === embedded ? undefined : () => temporaryDirectory(t)
        return ProcessWorld.start({ installation: backend.create(t), viewDirectory })
      },
    })
  })
}
