import type { AccepterOptions } from '@posthaste/accepter'
import { FUNCTION_DOOR_NAMES } from '@posthaste/accepter/doors'
import { redactedCall, resolveFunction } from '@posthaste/core'
import { tlsOptions } from '@posthaste/listener'
import type { Config } from './config/table.js'
import type { Functions } from './functions.js'

/** The front doors that the configuration asks for. Those to functions are there where there is a file of functions. */
export function doorOptions(config: Config, { now }: Functions): NonNullable<AccepterOptions['doors']> {
  const { doors, functions, targets, tlsMin } = config
  return {
    functions: now,
    doors: doors.flatMap((text) => {
      const [name = '', prefix = ''] = text.split('=')
      return functions || !FUNCTION_DOOR_NAMES.includes(name) ? [{ name, prefix }] : []
    }),
    tlsOf: (origin) => tlsOptions(targets, tlsMin, origin),
    shown: (call) => redactedCall(call, targets, resolveFunction(call, now())?.target),
  }
}
