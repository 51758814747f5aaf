import { PosthasteError } from '../src/index.js'

/** Runs what must fail and returns its error. Whatever is not ours is thrown on. */
export function failureOf(action: () => unknown): PosthasteError {
  const error = errorOf(action)
  if (error === undefined) throw new Error('This should have failed.')
  return error
}

/** The error of what may fail, or undefined if it did not. Whatever is not ours is thrown on. */
export function errorOf(action: () => unknown): PosthasteError | undefined {
  try {
    action()
  } catch (error) {
    if (error instanceof PosthasteError) return error
    throw error
  }
  return undefined
}
