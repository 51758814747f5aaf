import { PosthasteError } from '@posthaste/core'

/** Why it is not known who asks: other systems tell these apart. */
export type Doubt =
  /** He does not say who he is. */
  | 'missing'
  /** His token is none that is known. */
  | 'unknown-token'
  /** Nor is the key that he signs with. */
  | 'unknown-key'
  /** Something is missing that a signature needs. */
  | 'incomplete'
  /** It is not the signature of this request, or not of now. */
  | 'invalid'

/** It is not known who asks. */
export class Unauthenticated extends PosthasteError {
  readonly doubt: Doubt

  constructor(doubt: Doubt, detail: string) {
    super('unauthenticated', detail)
    this.doubt = doubt
  }
}

/** What an error says of who asks; undefined if it is another one. */
export function doubtOf(error: unknown): Doubt | undefined {
  return error instanceof Unauthenticated ? error.doubt : undefined
}
