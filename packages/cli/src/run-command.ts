import { inspect } from 'node:util'
import { PosthasteError } from '@posthaste/core/basics'
import { CommanderError } from 'commander'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
import { plain, type Streams } from './output.js'
import { createProgram } from './program.js'

/** Runs the command that a command line asks for, and resolves with its exit code. */
export async function runCommand(args: readonly string[], streams: Streams): Promise<ExitCode> {
  const { stderr, stdin, stdout } = streams
  let code: ExitCode = EXIT.done
  const done = (ended: ExitCode): void => {
    code = ended
  }
  try {
    await createProgram({ stderr, stdin, stdout, done }).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    return tell(error, streams)
  }
}

/** Says what went wrong. What a person can mend is said in plain words; anything else is a fault of ours and shows where it is. */
function tell(error: unknown, { stderr }: Pick<Streams, 'stderr'>): ExitCode {
  // The parser has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused
  const { message, syscall } = error as NodeJS.ErrnoException
  const isKnown = error instanceof CommandError || error instanceof PosthasteError || syscall !== undefined
  stderr.write(`${isKnown ? plain(message) : inspect(error)}\n`)
  return error instanceof CommandError ? error.code : EXIT.failed
}
