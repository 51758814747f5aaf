import { originOf } from '@posthaste/core'

/** What an invocation is found by, each as `hashOf`; 0 for what it has not. */
export interface Hashes {
  readonly origin: number
  readonly target: number
  readonly correlation: number
  readonly parent: number
}

export function hashesOf(words: {
  readonly target?: string | undefined
  readonly correlationId?: string | undefined
  readonly parent?: string | undefined
}): Hashes {
  const { correlationId, parent, target } = words
  return {
    origin: target === undefined ? 0 : hashOf(originOf(target)),
    target: target === undefined ? 0 : hashOf(withoutQuery(target)),
    correlation: correlationId === undefined ? 0 : hashOf(correlationId),
    parent: parent === undefined ? 0 : hashOf(parent),
  }
}

/** A number that stands for a text in an index, never 0: others may have the same, so what is found is compared. */
export function hashOf(text: string): number {
  // FNV-1a.
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0 || 1
}

/** What calls of a target are found by: its URL up to the query. */
export function withoutQuery(url: string): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
