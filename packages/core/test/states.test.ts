import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { DEAD_LETTER_STATES, FINAL_STATES, INVOCATION_STATES, isFinalState } from '../src/index.js'
import { joinStandings, type Standing, stateOf } from '../src/standing.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** How many things happen to an invocation one after the other: each state is reached, and left in each way. */
const DEPTH = 7

t.test('docs/states.md has each step from state to state that there is, and no other', async (t) => {
  const steps = new Set<string>()
  for (const standing of [queued(1, 1, 0, 0), putOff(1, 1, 0, 1)]) {
    steps.add(`accepted ${stateOf(standing)}`)
    explore(standing, 1, DEPTH, steps)
  }
  t.strictSame([...steps].sort(), documented().sort())
  t.equal(new Set([...steps].map((step) => step.split(' ')[1])).size, INVOCATION_STATES.length, 'each is reached')
})

t.test('what is final stays so, but for a redrive', async (t) => {
  for (const state of FINAL_STATES) {
    const ended = end(1, 1, state, 5)
    for (const told of whatMayCome(queued(1, 1, 0, 5), 6)) t.equal(stateOf(joinStandings(ended, told)), state)
    t.equal(stateOf(joinStandings(ended, queued(2, 1, 0, 7))), 'queued')
  }
})

/** Lets all that may happen now happen, each in its turn, and what may happen then. Each takes place one millisecond later. */
function explore(standing: Standing, nowMs: number, depth: number, steps: Set<string>): void {
  if (depth === 0) return
  for (const told of whatMayCome(standing, nowMs)) {
    const next = joinStandings(standing, told)
    steps.add(`${stateOf(standing)} ${stateOf(next)}`)
    explore(next, nowMs + 1, depth - 1, steps)
  }
}

function whatMayCome({ attempt, generation, move, ...standing }: Standing, nowMs: number): Standing[] {
  const state = stateOf({ attempt, generation, move, ...standing })
  if (isFinalState(state)) {
    const isDead = (DEAD_LETTER_STATES as readonly string[]).includes(state)
    return isDead ? [queued(generation + 1, 1, 0, nowMs), putOff(generation + 1, 1, 0, nowMs + 1)] : []
  }
  const cancelled = end(generation, attempt, 'cancelled', nowMs)
  if (state === 'scheduled' || state === 'retrying') {
    return [
      queued(generation, attempt, move, Math.max(nowMs, standing.dueMs)),
      putOff(generation, attempt, move + 1, nowMs + 1),
      cancelled,
    ]
  }
  const ends = [
    ...FINAL_STATES.map((final) => end(generation, attempt, final, nowMs)),
    putOff(generation, attempt + 1, 0, nowMs + 1),
  ]
  if (state === 'queued')
    return [...ends, { ...putOff(generation, attempt, 0, 0), runningAtMs: Math.max(nowMs, standing.queuedAtMs + 1) }]
  return [...ends, queued(generation, attempt, move, Math.max(nowMs, standing.runningAtMs))]
}

function queued(generation: number, attempt: number, move: number, queuedAtMs: number): Standing {
  return { generation, attempt, move, queuedAtMs, dueMs: 0, runningAtMs: 0, ended: undefined }
}

function putOff(generation: number, attempt: number, move: number, dueMs: number): Standing {
  return { generation, attempt, move, queuedAtMs: 0, dueMs, runningAtMs: 0, ended: undefined }
}

function end(generation: number, attempt: number, state: (typeof FINAL_STATES)[number], atMs: number): Standing {
  return { generation, attempt, move: 0, queuedAtMs: 0, dueMs: 0, runningAtMs: 0, ended: { state, atMs } }
}

function documented(): string[] {
  const table = readFileSync(join(root, 'docs', 'states.md'), 'utf8').split('\n')
  const rows = table.filter((line) => line.startsWith('|')).slice(2)
  return rows.flatMap((row) => {
    const [, from = '', to = ''] = row.split('|').map((cell) => cell.trim())
    return [...to.matchAll(/`(\w+)`/g)].map(([, state]) => `${from.replaceAll('`', '')} ${state}`)
  })
}
