#!/usr/bin/env node
import { PosthasteError } from '@posthaste/core'
import { CommanderError } from 'commander'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
import { plain } from './output.js'
import { createProgram } from './program.js'

// Whoever reads what is printed may have seen enough, as `head` has: what was asked for is done all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') process.exit(EXIT.failed)
  })
}

try {
  await createProgram(end).parseAsync()
} catch (error) {
  end(tell(error))
}

/** Ends the process once all that was printed is out. */
function end(code: ExitCode): void {
  process.stdout.write('', () => process.exit(code))
}

/** Says what went wrong. What a person can mend is said in plain words; anything else is a fault of ours and shows where it is. */
function tell(error: unknown): ExitCode {
  // The parser has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused
  const { message, syscall } = error as NodeJS.ErrnoException
  const isKnown = error instanceof CommandError || error instanceof PosthasteError || syscall !== undefined
  console.error(isKnown ? plain(message) : error)
  return error instanceof CommandError ? error.code : EXIT.failed
}
