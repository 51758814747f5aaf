import { formatInstant, parseDuration, parseInstant } from '@posthaste/core/basics'
import { type Command, InvalidArgumentError, Option } from 'commander'

/** Which invocations are meant. */
export interface FilterFlags {
  readonly state?: string
  readonly target?: string
  readonly correlationId?: string
  readonly parent?: string
  readonly createdAfter?: string
  readonly createdBefore?: string
}

/** Adds the flags that choose among invocations. */
export function addFilterFlags(command: Command): Command {
  const time = (flags: string, description: string) => new Option(flags, description).argParser(readTime)
  return command
    .option('--state <states>', 'In one of these states, separated by commas.')
    .option('--target <url>', 'Calling this URL, whatever the query; of an origin alone, anything there.')
    .option('--correlation-id <text>', 'Of this name.')
    .option('--parent <id>', 'That this invocation, or this schedule, gave rise to.')
    .addOption(time('--created-after <time>', 'Accepted from then on: 2026-12-24T18:00:00Z, or 1h for an hour ago.'))
    .addOption(time('--created-before <time>', 'Accepted before then.'))
}

/** What the flags say, without what they do not. */
export function filterOf({ correlationId, createdAfter, createdBefore, parent, state, target }: FilterFlags) {
  const filter = { state, target, correlationId, parent, createdAfter, createdBefore }
  return Object.fromEntries(Object.entries(filter).filter((pair): pair is [string, string] => pair[1] !== undefined))
}

function readTime(text: string): string {
  const agoMs = parseDuration(text)
  const ms = agoMs === undefined ? parseInstant(text) : Date.now() - agoMs
  if (ms === undefined) {
    throw new InvalidArgumentError('It is neither a time such as 2026-12-24T18:00:00Z nor a duration such as 1h.')
  }
  return formatInstant(ms)
}
