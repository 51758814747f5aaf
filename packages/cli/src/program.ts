import {
  CONFIG_FILE_ENVIRONMENT,
  environmentName,
  flagName,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
} from '@posthaste/server'
import { Command, Option } from 'commander'

/** What a command was given on the command line. */
export interface Given {
  readonly flags: Readonly<Partial<Record<SettingKey, string>>>
  readonly file: string | undefined
}

/** What each command does; each resolves with the exit code. */
export interface Commands {
  start(given: Given): Promise<number>
  accepter(given: Given): Promise<number>
  listener(given: Given): Promise<number>
  cycle(given: Given): Promise<number>
}

const DESCRIPTIONS: Readonly<Record<keyof Commands, string>> = {
  start: 'Run an accepter and a listener in one process.',
  accepter: 'Run an accepter only: takes instructions, makes no calls.',
  listener: 'Run a listener only: makes the calls, takes /cycle pings.',
  cycle: 'Drain the stream once, print the report and exit.',
}

/** The `posthaste` command. `done` gets the exit code of the command that ran. */
export function createProgram(commands: Commands, done: (code: number) => void): Command {
  const program = new Command('posthaste')
  program.description('POST a call, get 202 at once, and the call is made: soon, or when asked.')
  for (const name of Object.keys(DESCRIPTIONS) as (keyof Commands)[]) {
    const command = withSettings(program.command(name).description(DESCRIPTIONS[name]))
    command.action(async (options: Record<string, string | undefined>) => {
      const { config: file, ...flags } = options
      done(await commands[name]({ flags, file }))
    })
  }
  return program
}

function withSettings(command: Command): Command {
  command.addOption(new Option('--config <file>', `JSON file with settings (${CONFIG_FILE_ENVIRONMENT})`))
  for (const key of SETTING_KEYS) {
    const { default: fallback, description, range, type } = SETTINGS[key]
    const notes = [
      environmentName(key),
      ...(range ? [range] : []),
      `default: ${fallback === '' ? 'none' : fallback}`,
    ].join('; ')
    command.addOption(new Option(`--${flagName(key)} <${type.replaceAll(' \\| ', '|')}>`, `${description} (${notes})`))
  }
  return command
}
