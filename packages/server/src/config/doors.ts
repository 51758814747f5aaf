import { DOOR_NAMES, OWN_PATHS } from '@posthaste/accepter/doors'
import { type Setting, text } from './setting.js'

const DOOR = new RegExp(`^(${DOOR_NAMES.join('|')})(=(/(?!\\.{1,2}(/|$))[\\w.~-]+)+)?$`)

/** Which front doors there are, as text: `openfaas,aws=/lambda`. */
export function doors(options: { readonly description: string }): Setting<readonly string[]> {
  const given = text({ ...options, default: DOOR_NAMES.join(','), check: faultOf })
  return {
    ...given,
    type: 'list',
    parse: (written, environment) => {
      const read = given.parse(written, environment)
      return 'value' in read ? { value: entriesOf(written) } : read
    },
  }
}

function entriesOf(written: string): string[] {
  return written === 'none' ? [] : written.split(',')
}

function faultOf(written: string): string | undefined {
  const entries = entriesOf(written)
  const names = entries.map((entry) => entry.split('=')[0])
  const ours = entries.find((entry) => OWN_PATHS.includes(entry.split('/')[1] ?? ''))
  if (!entries.every((entry) => DOOR.test(entry)))
    return `it is not a list of front doors, each with a prefix if you like: openfaas=/fn. There are ${DOOR_NAMES.join(', ')}`
  if (new Set(names).size < names.length) return 'it is a list with a front door twice'
  return ours && `it is a list in which ${ours} is beneath a path that is not for doors`
}
