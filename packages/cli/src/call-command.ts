import type { Command } from 'commander'
import { type ApiFlags, addApiCommand, openSession, type Session, type Shell } from './api-command.js'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
import { idempotencyHeaders, keyOption } from './idempotency.js'
import { addInstructionFlags, type InstructionFlags, instructionOf } from './instruction.js'
import { summarizeInvocation, type Told } from './invocation.js'
import { showEnd } from './wait.js'

interface CallFlags extends ApiFlags, InstructionFlags {
  readonly idempotencyKey?: string
  readonly wait?: true
}

const EXAMPLES = `
Examples:
  posthaste call https://api.example.com/resize -d '{"image":42}' --delay 10m
  posthaste call https://api.example.com/images -X PUT -H 'content-type: image/png' -d @image.png --wait
  posthaste call --function resize --path '/small?width=20' -d @image.png

After exit code 5 it may have been taken all the same: with an --idempotency-key it can be sent again.`

/** `posthaste call`: hands an instruction in. */
export function addCallCommand(program: Command, shell: Shell): void {
  const command = addApiCommand(program, 'call', 'Have a call made: at once, or when asked.').addHelpText(
    'after',
    EXAMPLES,
  )
  addInstructionFlags(command)
    .addOption(keyOption())
    .option('--wait', 'Wait until it has ended, and show it.')
    .action(async (target: string | undefined, flags: CallFlags) =>
      shell.done(await call(openSession(flags, shell), target, flags)),
    )
}

async function call(session: Session, target: string | undefined, flags: CallFlags): Promise<ExitCode> {
  const { api, output, stdin } = session
  const { idempotencyKey, wait } = flags
  const { document: receipt } = await api.ask<Told>('POST', '/invocations', {
    body: await instructionOf(target, flags, stdin),
    headers: idempotencyHeaders(idempotencyKey),
  })
  if (wait) return seeEnd(session, receipt.id)
  await output.show(receipt, summarizeInvocation)
  return EXIT.done
}

/** Whoever does not see how it ends must not call once more: it was accepted, so he is told what to wait for. */
async function seeEnd(session: Session, id: string): Promise<ExitCode> {
  try {
    return await showEnd(session, id, Number.POSITIVE_INFINITY)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError(EXIT.unfinished, `${id} was accepted, but not seen to end: ${error.message}`, {
      cause: error,
    })
  }
}
