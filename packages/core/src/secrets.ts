import { type Headers, newHeaders } from './headers.js'

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])
const SECRET_WORD = /token|secret|key|password|signature|credential/i
const MASK = '***'

/** The same headers, with `***` for what may open something. */
export function maskedHeaders(headers: Headers): Headers {
  const masked = newHeaders()
  for (const name of Object.keys(headers)) masked[name] = isSecret(name) ? MASK : (headers[name] as string)
  return masked
}

/** The same URL, with `***` for the values of query parameters that may open something. */
export function maskedUrl(url: string): string {
  if (!SECRET_WORD.test(url)) return url
  return url.replace(/([?&])([^=&#]*)=([^&#]*)/g, (pair, before: string, name: string) =>
    isSecret(name) ? `${before}${name}=${MASK}` : pair,
  )
}

function isSecret(name: string): boolean {
  return SECRET_HEADERS.has(name.toLowerCase()) || SECRET_WORD.test(name)
}
