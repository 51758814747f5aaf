// Loaded into a process with `--import`: names lead where the attempts say, one answer after the other, and nowhere else.

import dns, { type LookupAddress } from 'node:dns'
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isIP } from 'node:net'

type Callback = (error: Error | null, addresses?: LookupAddress[]) => void

const file = new URL('../../egress-attempts.json', import.meta.url)
const { names } = JSON.parse(readFileSync(file, 'utf8')) as { names: Record<string, string[][]> }
const system = dns.lookup
const asked = new Map<string, number>()

function lookUp(hostname: string, options: object, callback: Callback): void {
  if (isIP(hostname)) {
    system(hostname, options, callback as never)
    return
  }
  const answers = names[hostname] ?? []
  const count = asked.get(hostname) ?? 0
  asked.set(hostname, count + 1)
  const answer = answers[count % answers.length]
  const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' })
  const found = answer?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  setImmediate(() => (found ? callback(null, found) : callback(error)))
}

Object.assign(dns, { lookup: lookUp })
syncBuiltinESMExports()
