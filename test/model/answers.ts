import { type Asked, cancelled, isDead, isOver, isWaiting, type Life, type Moment, moved, redriven } from './life.js'

// What an answer of the API says of where an invocation is: of the lives that it can have had, those with which the answer
// is right, and as they are after it. None is left: the answer is wrong.

export interface Circumstances extends Moment {
  /** Whether there is a listener that does what is asked. */
  readonly hasListener: boolean
  /** Whether a view may be new: then it has no record of what is retried, without which that cannot be moved. */
  readonly mayLackRecords: boolean
}

/** 200: it is cancelled. 409: it had ended. 202: it will be cancelled, unless it ends by itself before. */
export function afterCancel(status: number, lives: readonly Life[], { hasListener }: Circumstances): Life[] {
  const open = lives.filter((life) => !isOver(life))
  const ended = lives.filter((life) => isOver(life) && life.at !== 'cancelled')
  if (status === 200)
    return [...lives.filter(({ at }) => at === 'cancelled'), ...(hasListener ? open : [])].map(cancelled)
  if (status === 409) return ended
  if (status !== 202) return []
  const asked = open.map((life): Life => ({ ...life, asked: { kind: 'cancel' } }))
  return hasListener && asked.length > 0 ? [...asked, ...ended] : asked
}

/** 200: it waits for the new time. 409: it does not wait for any. 202: it will be moved, unless it is called before. */
export function afterMove(status: number, lives: readonly Life[], dueMs: number, now: Circumstances): Life[] {
  const open = lives.filter((life) => !isOver(life) && life.asked?.kind !== 'cancel')
  if (status === 200) {
    const waiting = open.filter((life) => now.hasListener && isWaiting(life))
    return waiting.map((life) => moved(life, dueMs))
  }
  if (status === 409) {
    return lives.filter((life) => !waitsForItsTime(life, now) || (now.mayLackRecords && life.attempt > 1))
  }
  if (status !== 202) return []
  const asked: Asked = { kind: 'move', dueMs }
  const toMove = open.map((life): Life => ({ ...life, asked }))
  // That it is being cancelled may not be known there yet: then it is cancelled all the same.
  const toCancel = lives.filter((life) => life.asked?.kind === 'cancel')
  return now.hasListener && toMove.length > 0 ? [...toMove, ...lives] : [...toMove, ...toCancel]
}

/** 202: it begins anew. 409: it is no dead letter. */
export function afterRedrive(status: number, lives: readonly Life[], { nowMs }: Moment): Life[] {
  if (status === 202) return lives.filter(isDead).map((life) => redriven(life, nowMs))
  return status === 409 ? lives.filter((life) => !isDead(life)) : []
}

function waitsForItsTime(life: Life, { nowMs, soonMs }: Moment): boolean {
  return life.at === 'waiting' && life.dueMs > nowMs + soonMs && life.asked?.kind !== 'cancel'
}
