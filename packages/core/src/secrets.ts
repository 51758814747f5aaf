import { type Headers, newHeaders } from './headers.js'

/** The short ones stand for themselves alone: `x-auth` is one, `x-author` is none. */
const SECRET_WORD =
  /token|secret|key|passw|signature|credential|authorization|cookie|(?<![a-z])(?:auth|jwt|pwd|sig)(?![a-z])/i
const MASK = '***'

/** The same headers, with `***` for what may open something. */
export function maskedHeaders(headers: Headers): Headers {
  const masked = newHeaders()
  for (const name of Object.keys(headers)) masked[name] = SECRET_WORD.test(name) ? MASK : (headers[name] as string)
  return masked
}

/** The same URL, with `***` for the values of query parameters that may open something. */
export function maskedUrl(url: string): string {
  if (!SECRET_WORD.test(url)) return url
  return url.replace(/([?&])([^=&#]*)=([^&#]*)/g, (pair, before: string, name: string) =>
    SECRET_WORD.test(name) ? `${before}${name}=${MASK}` : pair,
  )
}
