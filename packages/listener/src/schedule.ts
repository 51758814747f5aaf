import { PosthasteError } from '@posthaste/core'
import cron, { type ScheduledTask } from 'node-cron'

/** Calls `trigger` at the times of a cron expression, which may have a seconds field. */
export class Schedule {
  readonly #task: ScheduledTask

  /** @throws PosthasteError `invalid-configuration` */
  constructor(expression: string, trigger: () => void) {
    if (!isSchedule(expression)) {
      throw new PosthasteError('invalid-configuration', `"${expression}" is not a cron expression.`)
    }
    this.#task = cron.createTask(expression, trigger)
  }

  async start(): Promise<void> {
    await this.#task.start()
  }

  async stop(): Promise<void> {
    await this.#task.destroy()
  }
}

/** Whether node-cron can read an expression. */
export function isSchedule(expression: string): boolean {
  return cron.validate(expression)
}
