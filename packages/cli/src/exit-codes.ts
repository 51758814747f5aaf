/** What the command ends with, so that scripts can tell. */
export const EXIT = {
  done: 0,
  failed: 1,
  misused: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  unfinished: 6,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** For `--help`. */
export const EXIT_CODES_HELP = `
Exit codes:
  0  done
  1  failed, or a setting is not valid; of a wait: it has ended, but not with success
  2  the command line, or what it asks for, is not valid
  3  there is no such thing
  4  it cannot be: it has ended, or runs, or is no dead letter; or the key was used for something else
  5  Posthaste cannot be reached, or cannot do it now: try again
  6  it still goes on, or was not seen to end: wait for it
Of several ids the highest counts.`

/** Ends the command: `message` says what is wrong and what can be done. */
export class CommandError extends Error {
  readonly code: ExitCode

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
    this.code = code
  }
}
