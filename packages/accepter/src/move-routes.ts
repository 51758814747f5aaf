import { type Directive, formatInstant, type Invocation, PosthasteError } from '@posthaste/core'
import type { ViewDoor } from './accepter-options.js'
import { CHANGE_WAIT_MS } from './cancel-routes.js'
import type { Directives, Draft } from './directives.js'
import { documentOf } from './invocation-document.js'
import type { Lookup } from './lookup.js'
import { OPERATIONS } from './operations.js'
import type { Routes } from './routes.js'

/** Moves what waits for its time to another time. */
export function addMoveRoutes(routes: Routes, lookup: Lookup, directives: Directives): void {
  const { view } = lookup
  routes.add(OPERATIONS.moveInvocation, async (asked, reply) => {
    // Moving a call that was made since might make it again.
    const invocation = await lookup.findFresh(asked, reply)
    const { directive } = movable(invocation, asked.caller.tenant, directives, asked.body)
    await directives.append([directive])
    const outcome = outcomeOf(directive, view)
    const until = () => lookup.until(reply, outcome, asked.query.wait ?? CHANGE_WAIT_MS)
    const found = await directives.upholdUntil(directive, until)
    if (found === undefined)
      return reply.code(202).send({ id: directive.id, state: 'moving', notBefore: formatInstant(asked.body) })
    if (found === 'moved') return documentOf(view.get(directive.id) ?? invocation)
    throw new PosthasteError('not-movable', 'It was called before the change could be made, or it was cancelled.')
  })
}

/** The move of an invocation, if that can be moved. @throws PosthasteError */
function movable({ id, state }: Invocation, tenant: string, directives: Directives, dueMs: number): Draft {
  if (state !== 'scheduled' && state !== 'retrying')
    throw new PosthasteError('not-movable', `It is ${state}: only what is scheduled or retrying can be moved.`)
  const draft = directives.draft({ id, tenant }, 'move', dueMs)
  if (!draft?.call) throw new PosthasteError('not-movable', 'Its instruction is not known here.')
  if (directives.cancellationOf(draft.directive)) throw new PosthasteError('not-movable', 'It is being cancelled.')
  const expiresAtMs = directives.expiryMsOf({ ...draft.call, notBeforeMs: dueMs })
  if (dueMs < expiresAtMs) return draft
  const detail = `It expires at ${formatInstant(expiresAtMs)}, before it could be called.`
  throw PosthasteError.ofFields([{ pointer: '/notBefore', code: 'invalid-time', detail }])
}

/** Makes a question whose answer is what became of a move, once that is known. */
function outcomeOf(directive: Directive, view: ViewDoor): () => 'moved' | 'late' | undefined {
  let lateMs = Number.POSITIVE_INFINITY
  return () => {
    const standing = standingOf(directive, view)
    if (standing?.kind === 'cancel') return 'late'
    // A later move may stand in its place: then it is that one's time that counts.
    if (standing?.isDone && standing.number >= directive.number)
      return (standing.tooLate ?? directive.number) >= directive.number ? 'moved' : 'late'
    if (!isPast(directive, view)) return undefined
    // What was called may have been moved before, to a time that has come: the view learns of it by another log.
    lateMs = Math.min(lateMs, performance.now())
    return view.asOfMs() >= lateMs ? 'late' : undefined
  }
}

/** What stands of the generation that a directive is about. */
function standingOf({ generation, id }: Directive, view: ViewDoor): Directive | undefined {
  const standing = view.directive(id)
  return standing?.generation === generation ? standing : undefined
}

/** Whether the turn that a directive is about has begun. */
function isPast({ attempt, generation, id }: Directive, view: ViewDoor): boolean {
  const turn = view.waiting(id)
  const isOf = turn?.generation === generation && turn.attempt === attempt
  return !isOf || view.get(id)?.state === 'running'
}
