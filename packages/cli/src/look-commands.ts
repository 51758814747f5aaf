import type { InvocationDocument, StatsDocument } from '@posthaste/core'
import { type Command, Option } from 'commander'
import {
  type ApiFlags,
  addApiCommand,
  forEachId,
  openSession,
  readDurationMs,
  readId,
  readIds,
  readNumber,
  type Session,
  type Shell,
} from './api-command.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { addFilterFlags } from './filter.js'
import { describeInvocation, summarizeInvocation } from './invocation.js'
import { type ListFlags, list } from './list.js'
import { describeStats } from './stats.js'
import { showEnd } from './wait.js'

/** `posthaste get`, `list`, `wait` and `stats`: what became of what was asked for. */
export function addLookCommands(program: Command, shell: Shell): void {
  addGetCommand(program, shell)
  addListCommand(program, shell)
  addWaitCommand(program, shell)
  addApiCommand(program, 'stats', 'Show how much there is to do and how fast it is done.').action(
    async (flags: ApiFlags) => shell.done(await stats(openSession(flags, shell))),
  )
}

interface GetFlags extends ApiFlags {
  readonly response?: true
}

function addGetCommand(program: Command, shell: Shell): void {
  addApiCommand(program, 'get', 'Show an invocation.')
    .argument('<id>', 'Of the invocation.', readId)
    .option('--response', 'Print the body of its last response instead, as it is.')
    .action(async (id: string, flags: GetFlags) => shell.done(await get(openSession(flags, shell), id, flags)))
}

async function get({ api, output }: Session, id: string, { response }: GetFlags): Promise<ExitCode> {
  if (response) {
    await output.bytes(await api.bytes(`/invocations/${id}/response`))
    return EXIT.done
  }
  const { document } = await api.ask<InvocationDocument>('GET', `/invocations/${id}`)
  await output.show(document, describeInvocation)
  return EXIT.done
}

const LIST_HELP = `
As JSON it is one document, {"invocations": [...], "next": "..."}; with --all a line for each invocation.`

function addListCommand(program: Command, shell: Shell): void {
  const command = addApiCommand(program, 'list', 'List invocations, the newest first.')
  addFilterFlags(command)
    .addOption(new Option('--limit <n>', 'So many at the most.').default(50).argParser(readNumber))
    .option('--cursor <cursor>', 'Go on where a list ended, as it said in "next".')
    .addOption(new Option('--all', 'All that there are.').conflicts('limit'))
    .addHelpText('after', LIST_HELP)
    .action(async (flags: ApiFlags & ListFlags) => shell.done(await list(openSession(flags, shell), flags)))
}

interface WaitFlags extends ApiFlags {
  readonly timeout?: number
}

function addWaitCommand(program: Command, shell: Shell): void {
  addApiCommand(program, 'wait', 'Wait until invocations have ended, and show how.')
    .argument('<id...>', 'Of the invocations.', readIds)
    .addOption(
      new Option('--timeout <duration>', 'For so long at the most; without it, until they have ended.').argParser(
        readDurationMs,
      ),
    )
    .action(async (ids: readonly string[], flags: WaitFlags) =>
      shell.done(await wait(openSession(flags, shell), ids, flags)),
    )
}

function wait(session: Session, ids: readonly string[], { timeout = Number.POSITIVE_INFINITY }: WaitFlags) {
  const untilMs = performance.now() + timeout
  const describe = ids.length === 1 ? describeInvocation : summarizeInvocation
  return forEachId(ids, session.output, (id) => showEnd(session, id, untilMs, describe))
}

async function stats({ api, output }: Session): Promise<ExitCode> {
  const { document } = await api.ask<StatsDocument>('GET', '/stats')
  await output.show(document, describeStats)
  return EXIT.done
}
