import { Cron } from 'croner'

/** When the times of a schedule are: those of a cron expression, or one each interval. In milliseconds since the Unix epoch. */
export interface Timing {
  readonly cron?: string
  /** An IANA name, by whose clock the expression goes; UTC if left out. */
  readonly timeZone?: string
  readonly everyMs?: number
  /** There is none before; intervals count from here. */
  readonly startAtMs: number
  /** There is none after. */
  readonly endAtMs?: number
}

/** Expressions and names of zones that were read: reading one takes longer than all the rest that is done for a tick. */
const READ_MAX = 1_000
const expressions = new Map<string, Cron>()
const timeZones = new Set<string>()

const NICKNAME = /^@[a-z]+$/i
const FIELDS = /^\S+(\s+\S+){4,5}$/

/** The first time after `afterMs`; undefined if there is none. */
export function nextTimeMs(timing: Timing, afterMs: number): number | undefined {
  const fromMs = Math.max(afterMs, timing.startAtMs - 1)
  const nextMs = timing.cron === undefined ? nextOfInterval(timing, fromMs) : nextOfCron(timing.cron, timing, fromMs)
  return nextMs === undefined || nextMs > (timing.endAtMs ?? Number.POSITIVE_INFINITY) ? undefined : nextMs
}

/** The last time up to `untilMs`. `knownMs` is a time, and not later. */
export function lastTimeMs(timing: Timing, knownMs: number, untilMs: number): number {
  let lastMs = knownMs
  // There may be very many, and there is no looking back: so halve what is unknown. None is after it.
  let noneAfterMs = untilMs
  while (lastMs < noneAfterMs) {
    const middleMs = Math.floor((lastMs + noneAfterMs) / 2)
    const foundMs = nextTimeMs(timing, middleMs)
    if (foundMs !== undefined && foundMs <= untilMs) lastMs = foundMs
    else noneAfterMs = middleMs
  }
  return lastMs
}

/** The first times after `afterMs`: `count` of them, or fewer if there are no more. */
export function timesAfter(timing: Timing, afterMs: number, count: number): number[] {
  const times: number[] = []
  let nextMs = nextTimeMs(timing, afterMs)
  while (nextMs !== undefined && times.length < count) {
    times.push(nextMs)
    nextMs = nextTimeMs(timing, nextMs)
  }
  return times
}

/** What is wrong with a cron expression; undefined if nothing is. */
export function cronFault(cron: string): string | undefined {
  // The library also takes a date.
  if (!NICKNAME.test(cron) && !FIELDS.test(cron)) return 'It has neither five fields nor six, and is no @daily or such.'
  try {
    expressionOf(cron, {})
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '')
  }
}

export function isTimeZone(name: string): boolean {
  if (timeZones.has(name)) return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
  } catch {
    return false
  }
  if (timeZones.size >= READ_MAX) timeZones.clear()
  timeZones.add(name)
  return true
}

function nextOfInterval({ everyMs = 1, startAtMs }: Timing, afterMs: number): number {
  return startAtMs + Math.max(0, Math.floor((afterMs - startAtMs) / everyMs) + 1) * everyMs
}

function nextOfCron(cron: string, timing: Timing, afterMs: number): number | undefined {
  return expressionOf(cron, timing).nextRun(new Date(afterMs))?.getTime()
}

// Where clocks are put forward or back, an expression whose times of day are all named (`30 2,14 * * *`) keeps its number of
// times: one that does not exist comes right after the gap, one that exists twice comes once. With a wildcard or a step
// (`*/15 * * * *`) it follows the clock: what does not exist does not come, and what exists twice comes twice.
function expressionOf(cron: string, { timeZone = 'UTC' }: Pick<Timing, 'timeZone'>): Cron {
  const name = `${timeZone} ${cron}`
  const known = expressions.get(name)
  if (known) return known
  const options = { paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', timezone: timeZone } as const
  const expression = new Cron(cron, options)
  if (expressions.size >= READ_MAX) expressions.clear()
  expressions.set(name, expression)
  return expression
}
