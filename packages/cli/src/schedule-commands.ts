import type { ScheduleDocument, ScheduleList } from '@posthaste/core'
import { LIMITS } from '@posthaste/core/basics'
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
import { EXIT, type ExitCode } from './exit-codes.js'
import { idempotencyHeaders, keyOption } from './idempotency.js'
import { addCallFlags, type InstructionFlags, instructionOf } from './instruction.js'
import { describeSchedule, rowOfSchedule, SCHEDULE_COLUMNS, summarizeSchedule, type ToldSchedule } from './schedule.js'
import { Table } from './table.js'

/** `posthaste schedule`: calls that recur. */
export function addScheduleCommands(program: Command, shell: Shell): void {
  const schedule = program.command('schedule').description('Have calls made again and again.')
  addCreateCommand(schedule, shell)
  addListCommand(schedule, shell)
  addApiCommand(schedule, 'get', 'Show a schedule.')
    .argument('<id>', 'Of the schedule.', readId)
    .addOption(new Option('--runs <n>', 'So many of the times to come.').argParser(readNumber))
    .action(async (id: string, flags: GetFlags) => shell.done(await get(openSession(flags, shell), id, flags)))
  addChangeCommand(schedule, 'pause', 'Call nothing at its times until it is resumed.', 'POST', '/pause', shell)
  addChangeCommand(schedule, 'resume', 'Have one go on that was paused.', 'POST', '/resume', shell)
  addChangeCommand(schedule, 'delete', 'Delete a schedule; what it has called already goes on.', 'DELETE', '', shell)
}

interface CreateFlags extends ApiFlags, InstructionFlags {
  readonly cron?: string
  readonly timeZone?: string
  readonly every?: string
  readonly startAt?: string
  readonly endAt?: string
  readonly missed?: string
  readonly idempotencyKey?: string
}

const EXAMPLES = `
Examples:
  posthaste schedule create https://api.example.com/report --cron '0 9 * * MON-FRI' --time-zone Europe/Berlin
  posthaste schedule create https://api.example.com/poll --every 30s --missed skip`

function addCreateCommand(schedule: Command, shell: Shell): void {
  const command = addApiCommand(schedule, 'create', 'Have a call made again and again.')
    .option(
      '--cron <expression>',
      'When: minute, hour, day, month, weekday; with seconds before them if there are six.',
    )
    .option('--time-zone <name>', 'By whose clock; UTC if left out.')
    .option('--every <duration>', 'When: once in this time, at least a second.')
    .option('--start-at <time>', 'Not before this time: 2026-12-24T18:00:00Z.')
    .option('--end-at <time>', 'Not after this time.')
    .option('--missed <policy>', 'What is done about times that were missed: once, or skip.')
    .addHelpText('after', EXAMPLES)
  addCallFlags(command)
    .addOption(keyOption())
    .action(async (target: string | undefined, flags: CreateFlags) =>
      shell.done(await create(openSession(flags, shell), target, flags)),
    )
}

async function create(
  { api, output, stdin }: Session,
  target: string | undefined,
  flags: CreateFlags,
): Promise<ExitCode> {
  const { cron, endAt, every, idempotencyKey, missed, startAt, timeZone } = flags
  const instruction = await instructionOf(target, flags, stdin)
  const { document } = await api.ask<ScheduleDocument>('POST', '/schedules', {
    body: { cron, timeZone, every, startAt, endAt, missed, instruction },
    headers: idempotencyHeaders(idempotencyKey),
  })
  await output.show(document, summarizeSchedule)
  return EXIT.done
}

interface ListFlags extends ApiFlags {
  readonly state?: string
  readonly limit: number
  readonly cursor?: string
}

function addListCommand(schedule: Command, shell: Shell): void {
  addApiCommand(schedule, 'list', 'List schedules, the newest first.')
    .option('--state <states>', 'In one of these states, separated by commas.')
    .addOption(new Option('--limit <n>', 'So many at the most.').default(50).argParser(readNumber))
    .option('--cursor <cursor>', 'Go on where a list ended, as it said in "next".')
    .action(async (flags: ListFlags) => shell.done(await list(openSession(flags, shell), flags)))
}

async function list({ api, output }: Session, { cursor, limit, state }: ListFlags): Promise<ExitCode> {
  const query = { state, cursor, limit: String(Math.min(LIMITS.listSchedulesMax, limit)) }
  const { document } = await api.ask<ScheduleList>('GET', '/schedules', { query })
  const table = new Table(SCHEDULE_COLUMNS)
  await output.show(document, ({ schedules }) => table.lines(schedules.map(rowOfSchedule)))
  if (!output.isJson && document.next !== undefined) output.note(`There are more: go on with --cursor ${document.next}`)
  return EXIT.done
}

interface GetFlags extends ApiFlags {
  readonly runs?: number
}

async function get({ api, output }: Session, id: string, { runs }: GetFlags): Promise<ExitCode> {
  const query = { runs: runs === undefined ? undefined : String(runs) }
  const { document } = await api.ask<ScheduleDocument>('GET', `/schedules/${id}`, { query })
  await output.show(document, describeSchedule)
  return EXIT.done
}

interface ChangeFlags extends ApiFlags {
  readonly timeout?: number
}

function addChangeCommand(
  schedule: Command,
  name: string,
  description: string,
  method: string,
  path: string,
  shell: Shell,
): void {
  addApiCommand(schedule, name, description)
    .argument('<id...>', 'Of the schedules.', readIds)
    .addOption(new Option('--timeout <duration>', 'How long to wait for each until it is done.').argParser(readWaitMs))
    .action(async (ids: readonly string[], flags: ChangeFlags) => {
      const { api, output } = openSession(flags, shell)
      const change = async (id: string): Promise<ExitCode> => {
        const waiting = { waitMs: flags.timeout }
        const { document, status } = await api.ask<ToldSchedule>(method, `/schedules/${id}${path}`, waiting)
        await output.show(document, summarizeSchedule)
        return status === 202 ? EXIT.unfinished : EXIT.done
      }
      shell.done(await forEachId(ids, output, change))
    })
}
