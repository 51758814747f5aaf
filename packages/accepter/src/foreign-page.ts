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
  return url?.host !== host || mayLeadElsewhere(url?.hostname ?? '')
}

/**
 * The same where a mere GET may change something: of that browsers tell no Origin, but from what kind of site it comes
 * (Fetch Metadata), unless that cannot be.
 */
export function isForeignFetch({ host = '', 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site === undefined || site === 'none') return false
  return site !== 'same-origin' || mayLeadElsewhere(host.replace(/:\d+$/, ''))
}

/** Nobody can make an address lead elsewhere. */
function mayLeadElsewhere(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  return name !== 'localhost' && isIP(name) === 0
}
