import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { isJson } from '@posthaste/core/basics'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readNumber } from './api-command.js'
import { CommandError, EXIT } from './exit-codes.js'

type Lists = Readonly<Record<string, readonly string[]>>

/** What an instruction says, as flags. */
export interface InstructionFlags {
  readonly function?: string
  readonly path?: string
  readonly method?: string
  readonly header?: Lists
  readonly query?: Lists
  readonly data?: string
  readonly forwardTo?: string
  readonly onSuccess?: string
  readonly onFailure?: string
  readonly destinationFormat?: string
  readonly correlationId?: string
  readonly notBefore?: string
  readonly delay?: string
  readonly timeout?: string
  readonly expiresAt?: string
  readonly expiresIn?: string
  readonly retryMaxAttempts?: number
  readonly retryInitialDelay?: string
  readonly retryFactor?: number
  readonly retryMaxDelay?: string
  readonly retryJitter?: string
  readonly retryMaxAge?: string
  readonly retryStatuses?: string[]
  readonly retryErrors?: string[]
}

/** Adds a flag for each field of an instruction. */
export function addInstructionFlags(command: Command): Command {
  return addCallFlags(command)
    .option('--delay <duration>', 'Not before this has passed: 250ms, 10s, 10m, 2h, 7d.')
    .option('--not-before <time>', 'Not before this time: 2026-12-24T18:00:00Z.')
    .option('--expires-at <time>', 'Not from this time on.')
}

/** Adds a flag for each field of an instruction that does not say when. */
export function addCallFlags(command: Command): Command {
  const number = (flags: string, description: string) => new Option(flags, description).argParser(readNumber)
  const list = (flags: string, description: string) => new Option(flags, description).argParser(readList)
  return command
    .argument('[target]', 'The URL to call; or see --function.')
    .option('--function <name>', 'The named function to call, instead of a URL.')
    .option('--path <path>', 'Behind the URL of the function: /small?width=20.')
    .option('-X, --method <method>', 'If left out that of the function, or POST.')
    .addOption(new Option('-H, --header <name: value>', 'A header; may be given several times.').argParser(readHeader))
    .addOption(
      new Option('--query <name=value>', "Appended to the target's own query; may be given several times.").argParser(
        readParameter,
      ),
    )
    .option('-d, --data <body>', 'The body, as it is; @<file> takes it from a file, @- from standard input.')
    .option('--forward-to <url>', 'Gets the final response by POST.')
    .option('--on-success <url>', 'Gets a record of its success by POST.')
    .option('--on-failure <url>', 'Gets a record of its failure by POST.')
    .option('--destination-format <format>', 'Of these records: record, cloudevents or event.')
    .option('--correlation-id <text>', 'A name of your own for it.')
    .option('--timeout <duration>', 'Longest time that one call may take.')
    .option('--expires-in <duration>', 'Not once this has passed.')
    .addOption(number('--retry-max-attempts <n>', 'Calls in all, the first included.'))
    .option('--retry-initial-delay <duration>', 'Wait before the second attempt.')
    .addOption(number('--retry-factor <factor>', 'What each wait is multiplied by.'))
    .option('--retry-max-delay <duration>', 'Longest wait between two attempts.')
    .option('--retry-jitter <jitter>', 'How much of each wait is left to chance: none, equal or full.')
    .option('--retry-max-age <duration>', 'No attempt begins later than this after the first one could be made.')
    .addOption(list('--retry-statuses <list>', 'Which answers are tried again: 429,502-599, or none.'))
    .addOption(
      list('--retry-errors <list>', 'Which calls without an answer are tried again: timeout,unreachable, or none.'),
    )
}

/**
 * The instruction that the flags stand for. What they say is for Posthaste to judge. A body goes out byte for byte; without
 * a Content-Type of its own it gets one by what it is: JSON, text or bytes.
 */
export async function instructionOf(
  target: string | undefined,
  flags: InstructionFlags,
  stdin: Readable,
): Promise<object> {
  if ((target === undefined) === (flags.function === undefined))
    throw new CommandError(EXIT.misused, 'What to call is a URL, or a --function: one of the two.')
  const { correlationId, delay, expiresAt, expiresIn, forwardTo, header = {}, notBefore, query, timeout } = flags
  const body = flags.data === undefined ? undefined : bodyOf(await readData(flags.data, stdin))
  const headers =
    body?.type === undefined || 'content-type' in header ? header : { ...header, 'content-type': body.type }
  return {
    target,
    function: flags.function,
    path: flags.path,
    method: flags.method?.toUpperCase(),
    headers: presentOrNot(headers),
    query,
    ...body?.fields,
    forwardTo,
    onSuccess: destinationOf(flags.onSuccess, flags),
    onFailure: destinationOf(flags.onFailure, flags),
    correlationId,
    notBefore,
    delay,
    timeout,
    expiresAt,
    expiresIn,
    retry: presentOrNot({
      maxAttempts: flags.retryMaxAttempts,
      initialDelay: flags.retryInitialDelay,
      factor: flags.retryFactor,
      maxDelay: flags.retryMaxDelay,
      jitter: flags.retryJitter,
      maxAge: flags.retryMaxAge,
      statuses: flags.retryStatuses,
      errors: flags.retryErrors,
    }),
  }
}

function destinationOf(url: string | undefined, { destinationFormat: format }: InstructionFlags): unknown {
  return url === undefined || format === undefined ? url : { url, format }
}

async function readData(data: string, stdin: Readable): Promise<Buffer> {
  if (!data.startsWith('@')) return Buffer.from(data)
  const file = data.slice(1)
  try {
    return await (file === '-' ? buffer(stdin) : readFile(file))
  } catch (cause) {
    const detail = `--data: ${(cause as Error).message}. A body that begins with @ comes from a file: pass it with @-.`
    throw new CommandError(EXIT.misused, detail, { cause })
  }
}

/** Of text, Posthaste knows the type. */
function bodyOf(bytes: Buffer): { fields: object; type?: string } {
  if (!isUtf8(bytes)) return { fields: { body: bytes.toString('base64'), bodyEncoding: 'base64' } }
  const body = bytes.toString()
  return { fields: { body, bodyEncoding: 'text' }, ...(isJson(body) && { type: 'application/json' }) }
}

function presentOrNot(fields: object): object | undefined {
  return Object.values(fields).every((value) => value === undefined) ? undefined : fields
}

function readList(text: string): string[] {
  return text === 'none' ? [] : text.split(',')
}

/** What is wrong is said without the text: it may be a secret. */
function readHeader(text: string, before: Lists = {}): Lists {
  const [, name, value] = /^([^:]+):\s*(.*?)\s*$/s.exec(text) ?? []
  if (name === undefined || value === undefined) {
    throw new CommandError(EXIT.misused, '--header: this must be "name: value".')
  }
  return withOne(before, name.toLowerCase(), value)
}

function readParameter(text: string, before: Lists = {}): Lists {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It is not "name=value".')
  return withOne(before, text.slice(0, at), text.slice(at + 1))
}

function withOne(lists: Lists, name: string, value: string): Lists {
  const list = Object.hasOwn(lists, name) ? lists[name] : undefined
  return { ...lists, [name]: [...(list ?? []), value] }
}
