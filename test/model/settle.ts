import { setTimeout as sleep } from 'node:timers/promises'
import { createId } from '@posthaste/core'
import type { Control, Shown } from '../harness/control.js'
import { type InvocationModel, isShownAs } from './invocation-model.js'
import type { Life } from './life.js'
import { learn, type Model } from './model.js'
import type { World } from './world.js'

const LOOK_MS = 10
const SHOWN_MAX = 5

/** What one accepter shows, by id. */
type Shelf = ReadonlyMap<string, Shown>

/**
 * Waits until the API shows every invocation as the model says that it comes to rest, wherever it is asked, and takes on
 * which of the possibilities it was. Returns what is shown.
 * @throws Error with what is shown otherwise, if that takes too long
 */
export async function settle(model: Model, world: World): Promise<Shelf> {
  // Where nothing goes on, what is shown must be no older than that.
  if (!world.hasListener) await viewsFollow(world)
  for (const untilMs = performance.now() + world.settleMs; ; await sleep(LOOK_MS)) {
    const shelves = await Promise.all(doorsOf(world).map(look))
    const found = model.invocations.map((invocation) => ({ invocation, lives: shownLives(invocation, shelves, world) }))
    const restless = found.filter(({ lives }) => lives.length === 0).map(({ invocation }) => invocation)
    // A call that should not have been made says more than what became of it.
    model.hear(world)
    if (performance.now() > untilMs && restless.length > 0) throw new Error(describe(restless, shelves, world))
    if (restless.length > 0) continue
    for (const { invocation, lives } of found) learnRest(invocation, lives)
    const [shelf] = shelves as [Shelf]
    if (model.beginExpected(world, shelf)) continue
    await forbidCancelled(model, world)
    return shelf
  }
}

function learnRest(invocation: InvocationModel, lives: readonly Life[]): void {
  const known = invocation.lives
  learn(invocation, lives, 'It is at rest')
  const isNews = ({ at, dueMs }: Life): boolean => at === 'parked' && known.every((life) => life.dueMs !== dueMs)
  if (lives.some(isNews)) invocation.parks += 1
}

/** Resolves once each view has all that stands in the logs now: only then it can say of an id that is new that it is not there. */
async function viewsFollow(world: World): Promise<void> {
  const id = createId(world.clock.now())
  const answers = await Promise.all(doorsOf(world).map((door) => door.get(id)))
  const behind = answers.find(({ status }) => status !== 404)
  if (behind) throw new Error(`A view does not follow: ${behind.text}`)
}

/** One for each view. */
function doorsOf(world: World): Control[] {
  return Array.from({ length: world.views }, (_, number) => world.door(number))
}

/** What is shown as cancelled is not called from then on. */
async function forbidCancelled(model: Model, world: World): Promise<void> {
  for (const invocation of model.invocations) {
    const { calls, lives } = invocation
    const isNews = lives.every(({ at, generation }) => at === 'cancelled' && !calls.isForbidden(generation))
    if (isNews) await model.forbidCalls(invocation, world)
  }
}

async function look(door: Control): Promise<Shelf> {
  const all = await door.listAll()
  return new Map(all.map((one) => [one.id, one]))
}

/** Where it comes to rest, of that what is shown; nothing if it is shown otherwise. */
function shownLives(invocation: InvocationModel, shelves: readonly Shelf[], world: World): Life[] {
  const all = shelves.map((shelf) => shelf.get(invocation.id))
  const isShown = (life: Life): boolean => all.every((shown) => shown && isShownAs(shown, life, world))
  // What is held shows only at the target.
  const isThere = (life: Life): boolean => life.at !== 'held' || world.target.isHolding(invocation.id, life)
  const isAside = (life: Life): boolean => life.at !== 'parked' || parkedUntilMs(invocation, life, world) !== undefined
  const lives = invocation.resting(world).filter((life) => isShown(life) && isThere(life) && isAside(life))
  return lives.map((life) => {
    if (life.at !== 'parked') return { ...life, dueMs: dueMsOf(life, all[0] as Shown, world) }
    const dueMs = parkedUntilMs(invocation, life, world) as number
    return { ...life, dueMs, lateMs: dueMs }
  })
}

/** What is parked shows only in what the listener leaves to the timers. */
function parkedUntilMs({ id }: InvocationModel, life: Life, world: World): number | undefined {
  const aside = world.aside(id)
  if (aside?.attempt !== life.attempt || aside.generation !== life.generation) return undefined
  return aside.dueMs >= life.dueMs && aside.dueMs <= (life.lateMs ?? life.dueMs) ? aside.dueMs : undefined
}

/** With a real clock it is only now known when a retry is due. Of what does not wait it does not matter. */
function dueMsOf({ at, dueMs }: Life, { nextAttemptAt }: Shown, { isExact }: World): number {
  if (at !== 'waiting') return 0
  return isExact || nextAttemptAt === undefined ? dueMs : Date.parse(nextAttemptAt)
}

function describe(restless: readonly InvocationModel[], shelves: readonly Shelf[], world: World): string {
  const lines = restless.slice(0, SHOWN_MAX).flatMap((invocation) => {
    const expected = invocation.resting(world).map((life) => JSON.stringify(life))
    const shown = shelves.map((shelf) => `  is shown ${JSON.stringify(shelf.get(invocation.id))}`)
    return [`${invocation}`, `  is to be ${expected.join(' or ')}`, ...shown]
  })
  return `Now ${new Date(world.clock.now()).toISOString()}, ${restless.length} do not come to rest:\n${lines.join('\n')}`
}
