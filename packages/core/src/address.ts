import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6
export type Range = readonly [Address, number]

/** Of the IPv6 addresses those that are given out; all others mean something special, or will. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')
/** Under this one the IPv4 addresses of the world are reached from where there is none but IPv6 (RFC 6052). */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')
/** Looks like any other, and is what Azure tells its machines their secrets by. */
const AZURE_METADATA = ipaddr.parseCIDR('168.63.129.16/32')

/**
 * Reads an address as it stands in a URL or as a look-up returns it: what looks like one in another notation is a name.
 * One that stands for an IPv4 address becomes that one. Undefined if it is none.
 */
export function readAddress(text: string): Address | undefined {
  const version = isIP(text)
  if (version === 4) return ipaddr.IPv4.parse(text)
  // As the URL parser writes it: the library takes `::10.0.0.1` for an IPv4 address, which the system does not.
  const url = `http://[${text}]`
  return version === 6 && URL.canParse(url)
    ? unwrapped(ipaddr.IPv6.parse(new URL(url).hostname.slice(1, -1)))
    : undefined
}

/** Whom an address belongs to: nobody else has it, and of IPv6 none with the same first half. */
export function networkOf(text: string): string {
  const address = readAddress(text)
  if (!address) return text
  return address.kind() === 'ipv4' ? `${address}` : `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/64`)}/64`
}

/** The address that a URL has as its host; undefined if that is a name. */
export function addressOfHost(host: string): Address | undefined {
  return readAddress(host.replace(/^\[(.*)\]$/, '$1'))
}

/** A host of a URL in one form: a name without a dot at its end, which is the same name, and an IPv4 address as such. */
export function plainHost(host: string): string {
  const address = addressOfHost(host)
  return address?.kind() === 'ipv4' ? address.toString() : host.replace(/\.+$/, '')
}

function unwrapped(address: ipaddr.IPv6): Address {
  if (address.isIPv4MappedAddress()) return address.toIPv4Address()
  return isWithin(address, NAT64) ? new ipaddr.IPv4(address.toByteArray().slice(-4)) : address
}

/**
 * Reads `10.0.0.0/8`, or an address, which stands for itself. Undefined if it is neither. What stands for an IPv4 address
 * has a length of IPv6: `::ffff:10.0.0.0/104`.
 */
export function readRange(text: string): Range | undefined {
  const [, start = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = readAddress(start)
  if (!address) return undefined
  const bitsMax = address.kind() === 'ipv4' ? 32 : 128
  const bitsBefore = isIP(start) === 6 ? 128 - bitsMax : 0
  const bits = length === undefined ? bitsMax : Number(length) - bitsBefore
  return bits >= 0 && bits <= bitsMax ? [address, bits] : undefined
}

export function isWithin(address: Address, [start, bits]: Range): boolean {
  return address.kind() === start.kind() && address.match(start as never, bits)
}

/** Whether it is an address that anybody on the internet may have, and nothing else. */
export function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || isWithin(address, AZURE_METADATA)) return false
  return address.kind() === 'ipv4' || isWithin(address, GLOBAL_UNICAST)
}

/** Whether what listens there, or is reached there, is on this machine alone. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || readAddress(host)?.range() === 'loopback'
}
