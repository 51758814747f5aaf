import { type Command, Option } from 'commander'
import {
  type ApiFlags,
  addApiCommand,
  forEachId,
  openSession,
  readId,
  readIds,
  readNumber,
  readWaitMs,
  type Session,
  type Shell,
} from './api-command.js'
import { type BulkFlags, decideScope, doInBulk } from './bulk.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { addFilterFlags } from './filter.js'
import { summarizeInvocation, type Told } from './invocation.js'

const BULK_HELP = `
Say which: ids, a filter, or --all. As JSON: a line for each id, or one with the counts.
What was done when it is broken off stays done; the same command goes on with the rest.`

/** `posthaste cancel`, `move` and `redrive`: a hand on what was asked for. */
export function addHandCommands(program: Command, shell: Shell): void {
  addCancelCommand(program, shell)
  addMoveCommand(program, shell)
  addRedriveCommand(program, shell)
}

function addCancelCommand(program: Command, shell: Shell): void {
  addBulkCommand(program, 'cancel', 'Cancel what has not ended: it is not called from then on.')
    .addOption(
      new Option(
        '--timeout <duration>',
        'With ids: how long to wait for each until it is cancelled. A filter waits for none.',
      ).argParser(readWaitMs),
    )
    .action(async (ids: readonly string[], flags: ApiFlags & BulkFlags) =>
      shell.done(await cancel(openSession(flags, shell), ids, flags)),
    )
}

async function cancel(session: Session, ids: readonly string[], flags: BulkFlags): Promise<ExitCode> {
  const { api, output } = session
  if (decideScope(ids, flags) === 'bulk') return doInBulk(session, '/cancel', flags)
  return forEachId(ids, output, async (id) => {
    const { document, status } = await api.ask<Told>('DELETE', `/invocations/${id}`, { waitMs: flags.timeout })
    await output.show(document, summarizeInvocation)
    return status === 202 ? EXIT.unfinished : EXIT.done
  })
}

interface MoveFlags extends ApiFlags {
  readonly delay?: string
  readonly notBefore?: string
  readonly timeout?: number
}

function addMoveCommand(program: Command, shell: Shell): void {
  addApiCommand(program, 'move', 'Give what waits for its time another time.')
    .argument('<id>', 'Of the invocation.', readId)
    .option('--delay <duration>', 'When this has passed: 10m; 0s for now.')
    .option('--not-before <time>', 'At this time: 2026-12-24T18:00:00Z.')
    .addOption(new Option('--timeout <duration>', 'How long to wait until it is moved.').argParser(readWaitMs))
    .action(async (id: string, flags: MoveFlags) => shell.done(await move(openSession(flags, shell), id, flags)))
}

async function move({ api, output }: Session, id: string, flags: MoveFlags): Promise<ExitCode> {
  const { delay, notBefore, timeout } = flags
  const { document, status } = await api.ask<Told>('PATCH', `/invocations/${id}`, {
    body: { delay, notBefore },
    waitMs: timeout,
  })
  await output.show(document, summarizeInvocation)
  return status === 202 ? EXIT.unfinished : EXIT.done
}

function addRedriveCommand(program: Command, shell: Shell): void {
  addBulkCommand(program, 'redrive', 'Have dead letters called again, from their first attempt on.')
    .addOption(new Option('--rate <n>', 'With a filter or --all: so many a second.').argParser(readNumber))
    .action(async (ids: readonly string[], flags: ApiFlags & BulkFlags) =>
      shell.done(await redrive(openSession(flags, shell), ids, flags)),
    )
}

async function redrive(session: Session, ids: readonly string[], flags: BulkFlags): Promise<ExitCode> {
  const { api, output } = session
  if (decideScope(ids, flags) === 'bulk') return doInBulk(session, '/redrive', flags)
  return forEachId(ids, output, async (id) => {
    const { document } = await api.ask<Told>('POST', `/invocations/${id}/redrive`)
    await output.show(document, summarizeInvocation)
    return EXIT.done
  })
}

function addBulkCommand(program: Command, name: string, description: string): Command {
  const command = addApiCommand(program, name, description).argument('[id...]', 'Of the invocations.', readIds)
  return addFilterFlags(command)
    .option('--all', 'All that can be.')
    .option('--dry-run', 'With a filter or --all: only count them.')
    .addHelpText('after', BULK_HELP)
}
