import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, type Log, PosthasteError } from '@posthaste/core'
import t from 'tap'
import { Refusals } from '../src/refusals.js'
import { post, startAccepter } from './setting.js'

interface Line {
  readonly level: keyof Log
  readonly fields: Record<string, unknown>
  readonly message: string
}

class Door {
  readonly recordBytesMax = 1_024
  refusal: ErrorCode | undefined

  async append(): Promise<void> {
    if (this.refusal !== undefined) throw new PosthasteError(this.refusal, 'That is why.')
  }
}

/** Keeps what is logged. */
class LineLog implements Log {
  readonly lines: Line[] = []
  #heard: ((line: Line) => void)[] = []

  debug = (fields: object, message: string): void => this.#add('debug', fields, message)
  info = (fields: object, message: string): void => this.#add('info', fields, message)
  warn = (fields: object, message: string): void => this.#add('warn', fields, message)
  error = (fields: object, message: string): void => this.#add('error', fields, message)

  /** The next line of a level. */
  next(level: keyof Log): Promise<Line> {
    return new Promise((resolve) => {
      this.#heard.push((line) => line.level === level && resolve(line))
    })
  }

  #add(level: keyof Log, fields: object, message: string): void {
    const line = { level, fields: { ...fields }, message }
    this.lines.push(line)
    for (const hear of this.#heard) hear(line)
  }
}

t.test('an outage has a line when it begins and one when it is over, however much is refused', async (t) => {
  const log = new LineLog()
  const door = new Door()
  const { url } = await startAccepter(t, { log, invocations: door })
  t.equal((await post(url)).status, 202)
  t.strictSame(log.lines, [])

  for (let outage = 0; outage < 2; outage += 1) {
    log.lines.length = 0
    door.refusal = 'stream-unavailable'
    for (let count = 0; count < 3; count += 1) t.equal((await post(url)).status, 503)
    door.refusal = 'stream-full'
    for (let count = 0; count < 2; count += 1) t.equal((await post(url)).status, 503)
    t.equal((await post(url, 'not JSON')).status, 400, 'what is no fault of ours tells nothing')
    t.strictSame(log.lines.filter(isShown), [refused('stream-unavailable'), refused('stream-full')])
    t.equal(log.lines.length, 5, 'the others are for who debugs')

    door.refusal = undefined
    t.equal((await post(url)).status, 202)
    const over = { where: '/invocations', refused: 5 }
    t.strictSame(await log.next('info'), { level: 'info', fields: over, message: 'requests are taken again' })
    t.equal(log.lines.length, 6)
  }
})

t.test('what comes and goes is one outage', async (t) => {
  const log = new LineLog()
  const quietMs = 20
  const refusals = new Refusals(log, quietMs)
  for (let count = 0; count < 10; count += 1) {
    refusals.taken('/invocations')
    refusals.refused('/invocations', new PosthasteError('overloaded', 'That is why.'))
  }
  // That it is not over takes time to show.
  await sleep(10 * quietMs)
  t.strictSame(log.lines.filter(isShown), [refused('overloaded')])
  const over = log.next('info')
  refusals.taken('/invocations')
  t.match(await over, { fields: { refused: 10 } })
  refusals.stop()
})

t.test('each path has its own', async (t) => {
  const log = new LineLog()
  const ping = () => Promise.reject(new PosthasteError('stream-unavailable', 'That is why.'))
  const { url } = await startAccepter(t, { log, cycle: { ping } })
  for (let count = 0; count < 3; count += 1) {
    t.equal((await fetch(`${url}/cycle`)).status, 503)
    t.equal((await post(url)).status, 202)
  }
  t.strictSame(log.lines.filter(isShown), [refused('stream-unavailable', '/cycle')])
})

function isShown({ level }: Line): boolean {
  return level !== 'debug'
}

function refused(code: ErrorCode, where = '/invocations'): Line {
  return { level: 'warn', fields: { where, code, reason: 'That is why.' }, message: 'requests are refused' }
}
