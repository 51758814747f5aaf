import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command, Message } from './member-process.js'

const SCRIPT = fileURLToPath(new URL('member-process.js', import.meta.url))

/** A member in a process of its own. */
export class Member {
  readonly appended: string[] = []
  readonly completed: string[] = []
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>

  constructor(directory: string, name: string, ...commands: Command[]) {
    this.#process = fork(SCRIPT, [directory, name])
    this.#exited = once(this.#process, 'exit')
    this.#process.on('message', (message: Message) => {
      if (message.did === 'append') this.appended.push(...message.keys)
      if (message.did === 'complete') this.completed.push(...message.keys)
    })
    for (const command of commands) this.tell(command)
  }

  tell(command: Command): void {
    this.#process.send(command)
  }

  /** Resolves with the next message that says so. */
  async heard<D extends Message['did']>(did: D): Promise<Extract<Message, { did: D }>> {
    for (;;) {
      const [message] = (await Promise.race([once(this.#process, 'message'), this.#diedEarly()])) as [Message]
      if (message.did === did) return message as Extract<Message, { did: D }>
    }
  }

  wake(): void {
    this.#process.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
  }

  async #diedEarly(): Promise<never> {
    await this.#exited
    throw new Error('the member ended')
  }
}
