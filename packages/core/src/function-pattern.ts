import { FUNCTION_NAME } from './url.js'

/** A name, what names begin with (`img-*`), or `*` for any. */
export const FUNCTION_PATTERN = `^(${FUNCTION_NAME}\\*?|\\*)$`

/** Whether one of some patterns is of a function with this name. */
export function matchesFunction(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name))
}
