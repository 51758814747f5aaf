import type { Command } from 'commander'
import type { Shell } from './api-command.js'
import { EXIT } from './exit-codes.js'
import { Output } from './output.js'

const NOTES = `
Secrets are looked up as a start does it: in the environment of this command, and in files beside FILE. They are not shown.`

/** `posthaste functions`: those that can be called by their names. */
export function addFunctionCommands(program: Command, shell: Shell): void {
  const functions = program.command('functions').helpCommand(false).description('Look at files of named functions.')
  functions
    .command('check')
    .description(
      'Check a file for POSTHASTE_FUNCTIONS: print its functions, or what is wrong and where, up to 20 faults.',
    )
    .argument('<file>', 'YAML or JSON.')
    .option('--json', 'Print JSON, a function a line: the default, unless on a terminal.')
    .option('--no-json', 'Print a table: the default on a terminal.')
    .addHelpText('after', NOTES)
    .action(async (file: string, { json }: { readonly json?: boolean }) => {
      const { showFunctions } = await import('./functions.js')
      await showFunctions(file, new Output(json, shell))
      shell.done(EXIT.done)
    })
}
