import type { IncomingMessage } from 'node:http'
import { CONNECTION_HEADERS, likenessOf, OWN_PREFIX } from '@posthaste/core'

/** Whether a header, by its name in lower case, passes on: it says nothing of one connection or message, and is not ours. */
export function passesOn(name: string): boolean {
  const likeness = likenessOf(name)
  return !CONNECTION_HEADERS.has(likeness) && !likeness.startsWith(OWN_PREFIX)
}

/** By name in lower case. */
export type PassedHeaders = Record<string, string | string[]>

/**
 * The headers of a request that its target gets: all but those of the connection, ours, and those that are `taken`, in
 * lower case. What stands several times stays so.
 */
export function passedHeaders(
  { rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>,
  taken: readonly string[],
): PassedHeaders {
  // Any word may be a header's name.
  const passed: PassedHeaders = Object.create(null)
  const connection = pairsOf(rawHeaders).filter(([name]) => name === 'connection')
  const dropped = new Set([...taken, ...namedByConnection(connection.map(([, value]) => value))])
  for (const [name, value] of pairsOf(rawHeaders)) {
    if (dropped.has(name) || !passesOn(name)) continue
    const known = passed[name]
    passed[name] = known === undefined ? value : [known, value].flat()
  }
  return passed
}

/** Headers that belong to the connection because `Connection` names them (RFC 9110 section 7.6.1). */
export function namedByConnection(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).map((name) => name.trim().toLowerCase())
}

function pairsOf(rawHeaders: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let at = 0; at < rawHeaders.length; at += 2)
    pairs.push([(rawHeaders[at] as string).toLowerCase(), rawHeaders[at + 1] as string])
  return pairs
}
