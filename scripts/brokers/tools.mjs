// Which programs this machine has.

import { spawnSync } from 'node:child_process'

const ANSWER_MS_MAX = 10_000

/** Whether a command can be run and ends well. */
export function answers(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: ANSWER_MS_MAX }).status === 0
}

/** Returns the number that `pattern` captures in what a command prints, undefined when it cannot be run. */
export function majorVersion(command, args, pattern) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: ANSWER_MS_MAX })
  const found = status === 0 ? `${stdout}${stderr}`.match(pattern)?.[1] : undefined
  return found === undefined ? undefined : Number(found)
}
