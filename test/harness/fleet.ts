import type { Installation } from './installation.js'
import { PosthasteProcess, type Role, type Settings } from './posthaste-process.js'

/** A process of a fleet: its role, and a number where there are several, such as `listener-2`. */
export type Member = Role | `${Role}-${number}`

/** The processes of one installation, by name. */
export class Fleet {
  readonly #settings: Settings
  readonly #running = new Map<Member, PosthasteProcess>()
  #doors = 0

  constructor(installation: Installation, settings: Settings = {}) {
    this.#settings = { ...installation.settings, ...settings }
  }

  get members(): Member[] {
    return [...this.#running.keys()]
  }

  /** Where to POST to, one accepter after another; undefined while none is there. */
  get doorUrl(): string | undefined {
    const doors = this.#withRole('start', 'accepter').filter(({ isReady }) => isReady)
    this.#doors += 1
    return doors[this.#doors % doors.length]?.url
  }

  /** The processes that run and make calls. */
  get listeners(): PosthasteProcess[] {
    return this.#withRole('start', 'listener').filter(({ exit }) => exit === undefined)
  }

  process(member: Member): PosthasteProcess {
    const found = this.#running.get(member)
    if (!found) throw new Error(`${member} was never started.`)
    return found
  }

  /** Resolves once they are ready. */
  async start(members: readonly Member[], settings: Settings = {}): Promise<void> {
    for (const member of members) {
      const [role] = member.split('-') as [Role]
      this.#running.set(member, new PosthasteProcess({ role, settings: { ...this.#settings, ...settings } }))
    }
    await Promise.all(members.map((member) => this.process(member).ready()))
  }

  /** Kills without warning, resolves once nothing is left of them, and returns when it was. */
  async crash(members: readonly Member[]): Promise<number> {
    const killedAtMs = Date.now()
    const killed = members.map((member) => this.process(member))
    for (const one of killed) one.kill('SIGKILL')
    await Promise.all(killed.map(({ exited }) => exited))
    return killedAtMs
  }

  /** Asks one to stop, as an operator does, or kills it; it does not come back. */
  async remove(member: Member, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const one = this.process(member)
    this.#running.delete(member)
    one.kill(signal)
    await one.exited
  }

  async ready(): Promise<void> {
    await Promise.all([...this.#running.values()].map((one) => one.ready()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((one) => one.stop()))
  }

  #withRole(...roles: readonly Role[]): PosthasteProcess[] {
    return [...this.#running.values()].filter(({ role }) => roles.includes(role))
  }
}
