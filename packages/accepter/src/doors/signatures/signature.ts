import type { SignedRequest } from './signed-request.js'

/** How clients of a system sign what they ask for. */
export interface Signature {
  /** Its name in `Authorization`. */
  readonly scheme: string
  /** Headers that belong to it, in lower case: they pass no further. */
  readonly headers: readonly string[]
  /** What a request says of how it is signed. @throws Unauthenticated if that is not whole, or not of now */
  read(request: SignedRequest, nowMs: number): Signed
}

export interface Signed {
  /** The access key. */
  readonly keyId: string
  /** Whether the request was signed with this secret, as it is, and with this body. */
  isBy(secret: string, body: Buffer): boolean
}
