import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Fleet, Member } from './fleet.js'
import type { OwnBroker } from './own-brokers.js'
import { tryFault } from './trial.js'

export const FAULT_MS_MAX = 280_000
const JOINS = 10

/** What may happen to any broker, to the network, and to listeners. */
export async function tryCommonFaults(t: Test, own: OwnBroker): Promise<void> {
  const { broker, install, proxy, takeOverMs, throughProxy } = own
  const options = { timeout: FAULT_MS_MAX }

  await t.test('the broker is killed and comes back', options, (t) =>
    tryFault(t, install(), startTwo, async () => {
      await broker.kill()
      await sleep(1_000)
      await broker.restart()
    }),
  )

  await t.test('the broker is frozen for longer than a listener may be silent', options, (t) =>
    tryFault(t, install(), startTwo, async () => {
      broker.pause()
      await sleep(takeOverMs + 1_500)
      broker.resume()
    }),
  )

  await t.test('ten listeners join and leave in a row', options, (t) =>
    tryFault(t, install(), startTwo, async ({ fleet }) => {
      for (let joined = 1; joined <= JOINS; joined += 1) {
        await Promise.all([fleet.start([listener(joined + 2)]), fleet.remove(listener(joined), 'SIGTERM')])
      }
    }),
  )

  const startOneBehindProxy = async (fleet: Fleet): Promise<void> => {
    await Promise.all([fleet.start([listener(1)]), fleet.start([listener(2)], throughProxy)])
  }
  await t.test('the network between a listener and the broker is cut', options, (t) =>
    tryFault(t, install(), startOneBehindProxy, async () => {
      proxy.silence()
      await sleep(takeOverMs + 1_500)
      proxy.mend()
      await sleep(1_000)
      proxy.break()
      await sleep(1_000)
      proxy.mend()
    }),
  )
}

export function startTwo(fleet: Fleet): Promise<void> {
  return fleet.start([listener(1), listener(2)])
}

export function listener(number: number): Member {
  return `listener-${number}`
}
