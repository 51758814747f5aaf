import { type Command, InvalidArgumentError, Option } from 'commander'
import { type ApiFlags, addApiCommand, type Done, openSession, type Session } from './api-command.js'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
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

After exit code 5 it may have been taken all the same: with an --idempotency-key it can be sent again.`

/** `posthaste call`: hands an instruction in. */
export function addCallCommand(program: Command, done: Done): void {
  const command = addApiCommand(program, 'call', 'Have a call made: at once, or when asked.')
    .argument('<target>', 'The URL to call.')
    .addHelpText('after', EXAMPLES)
  addInstructionFlags(command)
    .addOption(
      new Option('--idempotency-key <key>', 'What is asked twice with one key is done once.').argParser(readKey),
    )
    .option('--wait', 'Wait until it has ended, and show it.')
    .action(async (target: string, flags: CallFlags) => done(await call(openSession(flags), target, flags)))
}

async function call({ api, output }: Session, target: string, flags: CallFlags): Promise<ExitCode> {
  const { idempotencyKey: key, wait } = flags
  const { document: receipt } = await api.ask<Told>('POST', '/invocations', {
    body: await instructionOf(target, flags),
    headers: key === undefined ? {} : { 'idempotency-key': quoted(key) },
  })
  if (wait) return seeEnd({ api, output }, receipt.id)
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

function readKey(text: string): string {
  if (!/^[\x20-\x7e]+$/.test(text)) throw new InvalidArgumentError('It is not of printable ASCII characters.')
  return text
}

/** As the header wants it: a string of RFC 8941, section 3.3.3. */
function quoted(key: string): string {
  return `"${key.replace(/["\\]/g, '\\$&')}"`
}
