import type { Command } from 'commander'
import { readNumber, type Shell } from './api-command.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { Output, type Streams } from './output.js'
import type { Wanted } from './token-entry.js'

interface CreateFlags extends Wanted {
  readonly accessKey?: boolean
  readonly file?: string
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  posthaste token create --name shop --scopes invoke,read --file tokens.json
  posthaste token create --name team-a --tenant a --targets 'https://*.example.com' --requests-per-second 50

Who is told of neither targets nor functions may have anything called; who is told of one, nothing of the other.
Scopes are invoke (have calls made), read (see them), control (cancel, move, redrive) and operate (/cycle, /metrics,
/stats). An entry may have a list of hashes: to change a token, add the hash of a new one, and take the old one away later.`

/** `posthaste token`: who may ask. */
export function addTokenCommands(program: Command, shell: Shell): void {
  const token = program.command('token').helpCommand(false).description('Make tokens for those who may ask.')
  token
    .command('create')
    .description('Make a token, and the entry for the file of POSTHASTE_TOKENS.')
    .requiredOption('--name <name>', 'Who has it.')
    .option('--scopes <list>', 'What he may do, separated by commas.', readList, ['invoke', 'read', 'control'])
    .option('--tenant <name>', "Whose invocations he sees and makes; left out: the operator's own.")
    .option('--targets <list>', 'The origins that he may have called, such as https://*.example.com.', readList)
    .option('--functions <list>', 'The named functions that he may have called, such as resize,img-*.', readList)
    .option('--requests-per-second <n>', 'How often he may ask.', readNumber)
    .option('--burst <n>', 'How often at once, after a rest.', readNumber)
    .option('--open-max <n>', 'How many invocations of his tenant may be open.', readNumber)
    .option('--access-key', 'Make an access key besides, for clients that sign as those of AWS and Alibaba do.')
    .option('--file <file>', 'Adds the entry to this file, which is made if it is not there.')
    .option('--json', 'Print JSON: the default, unless on a terminal.')
    .option('--no-json', 'Print words: the default on a terminal.')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: CreateFlags) => shell.done(await create(flags, shell)))
}

async function create(
  { accessKey: wantsKey, file, json, ...wanted }: CreateFlags,
  streams: Streams,
): Promise<ExitCode> {
  const output = new Output(json, streams)
  // Loaded where it is needed: all other commands start twice as fast without.
  const { addToFile, checkedEntry, createAccessKey, newToken } = await import('./token-entry.js')
  const { hash, token } = newToken()
  const accessKey = wantsKey ? createAccessKey() : undefined
  const entry = checkedEntry(wanted, hash, accessKey)
  if (file !== undefined) addToFile(file, entry)
  const where =
    file === undefined
      ? `Its entry, for the list "tokens" in the file of POSTHASTE_TOKENS:\n\n${JSON.stringify(entry, undefined, 2)}`
      : `Its entry is in ${file}.`
  const key = accessKey ? `\nAccess key ${accessKey.id}, secret ${accessKey.secret}` : ''
  await output.show({ token, entry, accessKey }, () => `${token}${key}\n\nThis token is shown this once. ${where}`)
  return EXIT.done
}

function readList(text: string): readonly string[] {
  return text.split(',').map((one) => one.trim())
}
