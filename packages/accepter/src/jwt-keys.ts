import { type Log, PosthasteError } from '@posthaste/core'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type RemoteJWKSet,
} from 'jose'

/** Keys older than this are asked for again, beside the request. */
const FRESH_MS = 10 * 60_000
/** Where the issuer is away for longer than this, what it may have revoked counts no more. */
const STALE_MS = 24 * 3_600_000
/** After the issuer failed it is left alone for so long, whoever shows which tokens. */
const PAUSE_MS = 5_000

/** The public keys of an issuer, from what it serves or from what is given. */
export function jwtKeys(source: URL | JSONWebKeySet, log: Log): JWTVerifyGetKey {
  return source instanceof URL ? fetchedKeys(source, log) : createLocalJWKSet(source)
}

function fetchedKeys(url: URL, log: Log): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { cacheMaxAge: STALE_MS, [customFetch]: sparing(url, log) })
  let askedMs = performance.now()
  return (header, token) => {
    if (keys.fresh && performance.now() - askedMs > FRESH_MS) refresh(keys)
    return keys(header, token)
  }

  function refresh(keys: RemoteJWKSet): void {
    askedMs = performance.now()
    // It is logged, and there are those from before.
    keys.reload().catch(() => undefined)
  }
}

/** Fetches, but not again and again from who is away, or answers with something else than keys. */
function sparing(url: URL, log: Log): typeof fetch {
  let pausedUntilMs = Number.NEGATIVE_INFINITY
  return async (input, init) => {
    if (performance.now() < pausedUntilMs) throw away()
    try {
      const response = await fetch(input, init)
      if (response.status === 200) return Response.json(await readKeys(response))
      await response.body?.cancel()
      throw new Error(`It answered ${response.status}.`)
    } catch (error) {
      pausedUntilMs = performance.now() + PAUSE_MS
      log.warn({ err: error, url: url.origin }, 'the keys of the issuer of JWTs cannot be had')
      throw away(error)
    }
  }
}

async function readKeys(response: Response): Promise<unknown> {
  const keys = (await response.json()) as JSONWebKeySet
  createLocalJWKSet(keys)
  return keys
}

function away(cause?: unknown): PosthasteError {
  return new PosthasteError('not-ready', 'The keys by which tokens are verified cannot be had now.', { cause })
}
