#!/usr/bin/env node
import { EXIT } from './exit-codes.js'
import { runCommand } from './run-command.js'

// Whoever reads what is printed may have seen enough, as `head` has: what was asked for is done all the same.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') process.exit(EXIT.failed)
  })
}

const code = await runCommand(process.argv.slice(2), process)
// Once all that was printed is out.
process.stdout.write('', () => process.exit(code))
