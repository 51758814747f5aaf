import type { Followed } from '@posthaste/stream'
import type { ControlLog } from '../src/index.js'

export interface Gate {
  readonly control: ControlLog
  /** While it is closed nothing comes through. */
  close(): void
  open(): void
  /** Whoever follows is told this instead of what comes next. */
  fail(error: Error): void
}

/** What is followed of a stream, through a gate. */
export function gated(control: ControlLog): Gate {
  let failure: Error | undefined
  let opened = Promise.resolve()
  let open = (): void => {}
  return {
    control: {
      supports: control.supports,
      append: (log, records) => control.append(log, records),
      async *follow(log, from, options): AsyncGenerator<Followed> {
        for await (const followed of control.follow(log, from, options)) {
          await opened
          if (options?.signal?.aborted) return
          if (failure) throw failure
          yield followed
        }
      },
    },
    close: () => {
      opened = new Promise((resolve) => {
        open = resolve
      })
    },
    open: () => {
      failure = undefined
      open()
    },
    fail: (error) => {
      failure = error
    },
  }
}
