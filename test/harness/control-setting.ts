import type { InstructionInput } from '@posthaste/core'
import type { Test } from 'tap'
import type { Backend } from './backends.js'
import { Client } from './client.js'
import { Control } from './control.js'
import { Fleet } from './fleet.js'
import { type Arrival, TargetServer } from './target-server.js'

/** One accepter, listeners, and targets to be called. */
export interface ControlSetting {
  readonly fleet: Fleet
  readonly control: Control
  readonly targets: { readonly quick: TargetServer; readonly holding: TargetServer; readonly releasing: TargetServer }
  /** Has the releasing target answer what it holds. */
  release(): void
  accept(instruction: InstructionInput): Promise<string>
  callsOf(id: string): Arrival[]
  /** Resolves once everything has come to the targets that was sent. */
  heardAll(): Promise<void>
  /** Resolves once the listeners have done all that was on the stream. */
  drain(): Promise<void>
}

/** Everything stops when the test is over. */
export async function startControlSetting(t: Test, backend: Backend): Promise<ControlSetting> {
  const installation = backend.create(t)
  const quick = await TargetServer.start(({ attempt, path }) => ({
    status: path === '/failing' && attempt === 1 ? 503 : 200,
  }))
  const holding = await TargetServer.start(() => 'never')
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const releasing = await TargetServer.start(() => released.then(() => ({})))
  const targets = { quick, holding, releasing }
  const all = Object.values(targets)
  const client = new Client({ connections: 256, timeoutMs: 75_000 })
  const fleet = new Fleet(installation, { stopGrace: '1s' })
  t.teardown(async () => {
    client.close()
    await fleet.stop()
    await Promise.all(all.map((target) => target.stop()))
  })
  await fleet.start(['accepter', 'listener-1'])
  const { url } = fleet.process('accepter')
  const heardAll = async (): Promise<void> => void (await Promise.all(all.map((target) => target.heardAll())))
  return {
    fleet,
    control: new Control(client, url),
    targets,
    release,
    accept: (instruction) => client.accept(url, instruction),
    callsOf: (id) => all.flatMap((target) => target.of(id)),
    heardAll,
    async drain() {
      const answers = await Promise.all(
        fleet.listeners.map((listener) => client.request(`${listener.url}/cycle?wait=30s`, 'POST')),
      )
      const notDrained = answers.filter(({ status }) => status !== 200).map(({ text }) => text)
      t.strictSame(notDrained, [], 'all is done that was on the stream')
      await heardAll()
    },
  }
}
