import { Command } from 'commander'
import type { Shell } from './api-command.js'
import { addCallCommand } from './call-command.js'
import { EXIT_CODES_HELP } from './exit-codes.js'
import { addFunctionCommands } from './function-commands.js'
import { addHandCommands } from './hand-commands.js'
import { addLookCommands } from './look-commands.js'
import { addScheduleCommands } from './schedule-commands.js'
import { addServerCommands } from './server-commands.js'
import { addTokenCommands } from './token-commands.js'

/** Of the help, where nobody can tell how wide it may be. */
const HELP_WIDTH = 80

/** The `posthaste` command. What is misused is said, and thrown, by the parser. */
export function createProgram(shell: Shell): Command {
  const { stderr, stdout } = shell
  const program = new Command('posthaste')
    .description('POST a call, get 202 at once, and the call is made: soon, or when asked.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => stderr.columns ?? HELP_WIDTH,
    })
    .helpCommand(false)
    .addHelpText('afterAll', EXIT_CODES_HELP)
  program.commandsGroup('Run it:')
  addServerCommands(program, shell)
  addFunctionCommands(program, shell)
  addTokenCommands(program, shell)
  program.commandsGroup('Ask one that runs, over its HTTP API:')
  addCallCommand(program, shell)
  addLookCommands(program, shell)
  addHandCommands(program, shell)
  addScheduleCommands(program, shell)
  addHelpCommand(program)
  return program
}

/** The parser's own shows a command before it has all its flags. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .helpGroup('Commands:')
    .description('Show the help of a command.')
    .argument('[command...]')
    .action(async (names: readonly string[]) => {
      let command = program
      for (const name of names) {
        command =
          command.commands.find((one) => one.name() === name) ?? command.error(`error: unknown command '${name}'`)
      }
      await program.parseAsync([...names, '--help'], { from: 'user' })
    })
}
