import { ID_PATTERN, LIMITS, parseDuration } from '@posthaste/core/basics'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { Api } from './api.js'
import { CommandError, EXIT, type ExitCode } from './exit-codes.js'
import { Output, type Streams } from './output.js'

/** What a command runs in. */
export interface Shell extends Streams {
  /** Hears how the command ended. */
  readonly done: (code: ExitCode) => void
}

/** The flags that every command over the API takes. */
export interface ApiFlags {
  readonly url: string
  readonly token?: string
  readonly json?: boolean
}

/** What a command over the API works with. */
export interface Session {
  readonly api: Api
  readonly output: Output
  readonly stdin: Streams['stdin']
}

/** Adds a command over the API. */
export function addApiCommand(program: Command, name: string, description: string): Command {
  const url = new Option('--url <url>', 'Where Posthaste listens.').env('POSTHASTE_URL')
  return program
    .command(name)
    .description(description)
    .addOption(url.default('http://127.0.0.1:8080').argParser(readUrl))
    .addOption(tokenOption())
    .option('--json', 'Print JSON, one document a line: the default, unless on a terminal.')
    .option('--no-json', 'Print words and tables: the default on a terminal.')
}

/** The variable is the better way: a command line is seen by whoever lists the processes. */
export function tokenOption(): Option {
  const option = new Option('--token <token>', 'Shows who asks; better given as POSTHASTE_TOKEN.').env(
    'POSTHASTE_TOKEN',
  )
  return option.argParser(readToken)
}

export function openSession({ json, token, url }: ApiFlags, shell: Streams): Session {
  return { api: new Api(url, token), output: new Output(json, shell), stdin: shell.stdin }
}

/**
 * Does something for each id, one after the other, and returns the highest exit code. What is wrong with one is said, and
 * does not keep it from the others.
 */
export async function forEachId(
  ids: readonly string[],
  output: Output,
  run: (id: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  let highest: ExitCode = EXIT.done
  for (const id of ids) {
    const code = await run(id).catch((error: unknown) => {
      if (!(error instanceof CommandError) || error.code === EXIT.unavailable) throw error
      output.note(`${id}: ${error.message}`)
      return error.code
    })
    if (code > highest) highest = code
  }
  return highest
}

/** For `argParser`: an id. */
export function readId(text: string): string {
  if (!new RegExp(ID_PATTERN).test(text)) throw new InvalidArgumentError('It is not an id.')
  return text
}

/** For `argParser`: several ids. */
export function readIds(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, readId(text)]
}

/** For `argParser`: a duration, in milliseconds. */
export function readDurationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('It is not a duration such as "250ms", "10s", "10m" or "2h".')
  return ms
}

/** For `argParser`: a duration for which an answer may be held back, in milliseconds. */
export function readWaitMs(text: string): number {
  const ms = readDurationMs(text)
  if (ms > LIMITS.waitMsMax) throw new InvalidArgumentError('It is more than a minute.')
  return ms
}

/** For `argParser`: a number. */
export function readNumber(text: string): number {
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It is not a number.')
  return number
}

/** What is wrong is said without the text: a password may stand in it. */
function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    const detail =
      '--url or POSTHASTE_URL: this must be an http or https URL such as http://127.0.0.1:8080, without credentials.'
    throw new CommandError(EXIT.misused, detail)
  }
  return url.origin + url.pathname
}

/** What is wrong is said without the token. */
function readToken(text: string): string | undefined {
  // A variable that is empty is as none.
  if (text === '') return undefined
  if (/^[\w.~+/-]+=*$/.test(text)) return text
  throw new CommandError(EXIT.misused, '--token or POSTHASTE_TOKEN: this is neither a token nor a JWT.')
}
