import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/**
 * Whether a page of another site asks, by way of the browser of somebody who can reach this process: also one whose name was
 * made to lead here (DNS rebinding), and which the browser therefore takes for ours. Only browsers send an Origin (RFC 6454),
 * and with all that could change something.
 */
export function isForeignPage({ host, origin }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return false
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url?.host !== host) return true
  // Nobody can make an address lead elsewhere.
  const name = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
  return name !== 'localhost' && isIP(name) === 0
}
