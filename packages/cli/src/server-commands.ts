import type { SettingKey } from '@posthaste/server'
import type { Command } from 'commander'
import { type Shell, tokenOption } from './api-command.js'
import type { ExitCode } from './exit-codes.js'
import type { Streams } from './output.js'

/** What a command was given on the command line. */
export interface Given {
  readonly flags: Readonly<Partial<Record<SettingKey, string>>>
  readonly file: string | undefined
  /** For a process that is asked. */
  readonly token?: string
  /** Where its result goes. */
  readonly stdout: Streams['stdout']
}

// The server is loaded by the commands that need it: those that only ask one start twice as fast without.
type Run = (server: typeof import('./run-server.js'), given: Given) => Promise<ExitCode>

interface ServerCommand {
  readonly name: string
  readonly description: string
  readonly run: Run
  /** Whether it may have to ask a process that runs. */
  readonly asks?: true
}

const COMMANDS: readonly ServerCommand[] = [
  {
    name: 'start',
    description: 'Run an accepter and a listener in one process.',
    run: ({ runServer }, given) => runServer('all', given),
  },
  {
    name: 'accepter',
    description: 'Run an accepter only: takes instructions, makes no calls.',
    run: ({ runServer }, given) => runServer('accepter', given),
  },
  {
    name: 'listener',
    description: 'Run a listener only: makes the calls, takes /cycle pings.',
    run: ({ runServer }, given) => runServer('listener', given),
  },
  {
    name: 'cycle',
    description: 'Drain the stream once, print the report and exit.',
    run: ({ runOneCycle }, given) => runOneCycle(given),
    asks: true,
  },
]

const VIEW_COMMANDS: readonly ServerCommand[] = [
  {
    name: 'rebuild',
    description: 'Empty the view and fill it again from the logs.',
    run: ({ rebuild }, given) => rebuild(given),
  },
]

/** The commands that are Posthaste, or work on what it keeps: each takes every setting. */
export function addServerCommands(program: Command, shell: Shell): void {
  for (const command of COMMANDS) addServerCommand(program, command, shell)
  const view = program.command('view').helpCommand(false).description('Look after what is shown of invocations.')
  for (const command of VIEW_COMMANDS) addServerCommand(view, command, shell)
}

function addServerCommand(parent: Command, { asks, description, name, run }: ServerCommand, shell: Shell): void {
  const command = parent.command(name).description(description)
  command.option('--config <file>', 'JSON file with settings (POSTHASTE_CONFIG)')
  if (asks) command.addOption(tokenOption())
  parent.hook('preSubcommand', async (_, chosen) => {
    if (chosen === command) (await import('./setting-flags.js')).addSettingFlags(command)
  })
  command.action(async ({ config: file, token, ...flags }: Record<string, string | undefined>) => {
    const given = { flags, file, stdout: shell.stdout, ...(token !== undefined && { token }) }
    shell.done(await run(await import('./run-server.js'), given))
  })
}
