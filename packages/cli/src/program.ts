import { Command } from 'commander'
import type { Done } from './api-command.js'
import { addCallCommand } from './call-command.js'
import { EXIT_CODES_HELP } from './exit-codes.js'
import { addHandCommands } from './hand-commands.js'
import { addLookCommands } from './look-commands.js'
import { addServerCommands } from './server-commands.js'

/** The `posthaste` command. `done` gets the exit code of the command that ran; what is misused is thrown by the parser. */
export function createProgram(done: Done): Command {
  const program = new Command('posthaste')
    .description('POST a call, get 202 at once, and the call is made: soon, or when asked.')
    .exitOverride()
    .helpCommand(false)
    .addHelpText('afterAll', EXIT_CODES_HELP)
  program.commandsGroup('Run it:')
  addServerCommands(program, done)
  program.commandsGroup('Ask one that runs, over its HTTP API:')
  addCallCommand(program, done)
  addLookCommands(program, done)
  addHandCommands(program, done)
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
