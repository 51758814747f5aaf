import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Call, EgressPolicy, functionMapOf, type NamedFunction } from '@posthaste/core'
import type { Test } from 'tap'
import { DOOR_NAMES } from '../src/doors/doors.js'
import type { AccepterOptions } from '../src/index.js'
import { readCall } from '../src/intake.js'
import { Notebook, startAccepter } from './setting.js'

/** A function of the operator's: a server of its own. */
export async function startFunction(t: Test, handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export function functionOf(url: string, more: Partial<NamedFunction> = {}): NamedFunction {
  return { name: 'resize', url, acceptStatus: 202, headers: {}, routes: [], ...more }
}

export interface DoorsStarted {
  readonly url: string
  readonly port: number
  /** What was accepted. */
  calls(): Call[]
  stop(): Promise<void>
  /** Has these instead. */
  change(functions: readonly NamedFunction[]): void
}

/** An accepter with all doors to some functions, or those that are named. */
export async function startDoors(
  t: Test,
  functions: readonly NamedFunction[],
  options: Partial<AccepterOptions> = {},
  doors: readonly string[] = DOOR_NAMES,
): Promise<DoorsStarted> {
  const notebook = new Notebook()
  let map = functionMapOf(functions)
  const settings = doors.map((text) => {
    const [name = '', prefix = ''] = text.split('=')
    return { name, prefix }
  })
  const { accepter, port, url } = await startAccepter(t, {
    invocations: notebook,
    egress: new EgressPolicy({}, () => map),
    doors: { functions: () => map, doors: settings },
    ...options,
  })
  return {
    url,
    port,
    stop: () => accepter.stop(),
    calls: () => notebook.appends.flat().map(({ value }) => readCall(value)),
    change(others) {
      map = functionMapOf(others)
    },
  }
}
