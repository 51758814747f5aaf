#!/usr/bin/env node
import { PosthasteError } from '@posthaste/core'
import { createProgram } from './program.js'
import { runOneCycle, runServer } from './run-server.js'

const program = createProgram(
  {
    start: (given) => runServer('all', given),
    accepter: (given) => runServer('accepter', given),
    listener: (given) => runServer('listener', given),
    cycle: runOneCycle,
  },
  (code) => process.exit(code),
)

try {
  await program.parseAsync()
} catch (error) {
  // What a person can mend is said in plain words; anything else is a fault of ours and shows where it is.
  const { message, syscall } = error as NodeJS.ErrnoException
  const known = error instanceof PosthasteError || syscall !== undefined
  console.error(known ? message : error)
  process.exit(1)
}
