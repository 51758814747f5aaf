import { problemOf } from '../problem.js'
import type { AtFunctions, Door } from './door.js'

/** An error in our own form. */
export const failPlainly: Door['fail'] = (error) => {
  const problem = problemOf(error)
  return { status: problem.status, headers: { 'content-type': 'application/problem+json' }, body: problem }
}

/** The URLs of functions without the mark of any door: they are called at once. */
export const AT_ONCE: AtFunctions = {
  isMeant: () => false,
  handle: (entrance, house, { fn, rest }) => house.callNow(entrance, { fn, rest }),
}
