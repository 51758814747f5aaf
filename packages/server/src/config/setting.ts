import { formatDuration, PosthasteError, parseDuration, type SecretReader } from '@posthaste/core'
import { readJsonFile } from './json-file.js'
import { secretReader } from './secret-reader.js'

/** The variables that a file may name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One configuration setting: how it is written, what it may be, what it is for. */
export interface Setting<T> {
  /** For people: `text`, `integer`, `duration`, `size`, or the choices. */
  readonly type: string
  /** As it would be written. */
  readonly default: string
  /** For people: the values allowed; empty if any are. */
  readonly range: string
  /** Masked wherever settings are shown. */
  readonly secret: boolean
  readonly description: string
  /** Returns the value, or says what is wrong with the text. */
  parse(text: string, environment: Environment): { readonly value: T } | { readonly fault: string }
}

interface Common {
  readonly default: string
  readonly description: string
  readonly secret?: boolean
}

const FLAG = ['true', 'false'] as const
/** The type of settings of which the name alone may stand on the command line. */
export const FLAG_TYPE = FLAG.join(' \\| ')

export function text(options: Common & { readonly check?: (text: string) => string | undefined }): Setting<string> {
  return setting('text', '', options, (given) => {
    const fault = given === '' ? 'it is empty' : options.check?.(given)
    return fault === undefined ? { value: given } : { fault }
  })
}

/** May be left empty. */
export function optionalText(
  options: Omit<Common, 'default'> & { readonly check?: (text: string) => string | undefined },
): Setting<string> {
  return setting('text', '', { ...options, default: '' }, (given) => {
    const fault = given === '' ? undefined : options.check?.(given)
    return fault === undefined ? { value: given } : { fault }
  })
}

export function choice<const C extends string>(choices: readonly C[], options: Common): Setting<C> {
  return setting(choices.join(' \\| '), '', options, (given) => {
    const value = choices.find((one) => one === given)
    return value === undefined ? { fault: `it is none of ${choices.join(', ')}` } : { value }
  })
}

export function integer(min: number, max: number, options: Common): Setting<number> {
  return setting('integer', `${min} to ${max}`, options, (given) => {
    return within(/^\d{1,15}$/.test(given) ? Number(given) : undefined, min, max, 'a whole number', String)
  })
}

/** On the command line the name alone says `true`. */
export function flag(options: Omit<Common, 'default'>): Setting<boolean> {
  const given = choice(FLAG, { ...options, default: 'false' })
  return {
    ...given,
    parse: (text, environment) => {
      const read = given.parse(text, environment)
      return 'value' in read ? { value: read.value === 'true' } : read
    },
  }
}

export function portOrOff(options: Omit<Common, 'default'>): Setting<number | 'off'> {
  const port = integer(0, 65_535, { ...options, default: 'off' })
  return {
    ...port,
    type: 'integer \\| off',
    parse: (text, environment) => (text === 'off' ? { value: text } : port.parse(text, environment)),
  }
}

export function decimal(min: number, max: number, options: Common): Setting<number> {
  return setting('number', `${min} to ${max}`, options, (given) => {
    return within(/^\d{1,15}(\.\d{1,9})?$/.test(given) ? Number(given) : undefined, min, max, 'a number', String)
  })
}

/** Entries of one form, separated by commas, or `none`. */
export function list<T extends string>(
  form: Pick<RegExp, 'test'>,
  what: string,
  options: Common,
): Setting<readonly T[]> {
  return setting('list', '', options, (given) => {
    const value = given === 'none' ? [] : given.split(',')
    return value.every((entry) => form.test(entry)) ? { value: value as T[] } : { fault: `it is not a list of ${what}` }
  })
}

/** In milliseconds. */
export function duration(min: string, max: string, options: Common): Setting<number> {
  const [minMs, maxMs] = [parseDuration(min) as number, parseDuration(max) as number]
  return setting('duration', `${min} to ${max}`, options, (given) => {
    return within(parseDuration(given), minMs, maxMs, 'a duration such as "10s"', formatDuration)
  })
}

/** In bytes. */
export function size(min: string, max: string, options: Common): Setting<number> {
  const [minBytes, maxBytes] = [parseSize(min) as number, parseSize(max) as number]
  return setting('size', `${min} to ${max}`, options, (given) => {
    return within(parseSize(given), minBytes, maxBytes, 'a size such as "64MiB"', (bytes) => `${bytes} bytes`)
  })
}

/** What a JSON file says that the setting names; `none` if it names none. */
export function jsonFile<T>(
  none: T,
  read: (document: unknown, readSecret: SecretReader, path: string) => T,
  options: Omit<Common, 'default'>,
): Setting<T> {
  return setting('file', '', { ...options, default: '', secret: true }, (path, environment) => {
    if (path === '') return { value: none }
    const file = readJsonFile(path)
    if ('fault' in file) return { fault: `it is ${path}, which ${file.fault}` }
    try {
      return { value: read(file.value, secretReader(path, environment), path) }
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      const faults = error.fields.map(({ detail, pointer }) => `${pointer || 'all of it'}: ${detail}`)
      return { fault: `it is ${path}, in which something is wrong: ${faults.join(' ').replace(/\.$/, '')}` }
    }
  })
}

/** What a file says that the setting names; `none` if it names none. `read` throws a PosthasteError with what is wrong. */
export function file<T>(
  none: T,
  read: (path: string, environment: Environment) => T,
  options: Omit<Common, 'default'>,
): Setting<T> {
  return setting('file', '', { ...options, default: '', secret: true }, (path, environment) => {
    if (path === '') return { value: none }
    try {
      return { value: read(path, environment) }
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      const faults = error.fields.map(({ detail }) => detail)
      return { fault: `it is ${path}, in which something is wrong: ${faults.join(' ').replace(/\.$/, '')}` }
    }
  })
}

function setting<T>(type: string, range: string, options: Common, parse: Setting<T>['parse']): Setting<T> {
  return {
    type,
    range,
    default: options.default,
    secret: options.secret ?? false,
    description: options.description,
    parse,
  }
}

function within(value: number | undefined, min: number, max: number, what: string, show: (value: number) => string) {
  if (value === undefined) return { fault: `it is not ${what}` }
  if (value < min || value > max) return { fault: `it is not from ${show(min)} to ${show(max)}` }
  return { value }
}

const UNIT_BYTES = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15})(B|KiB|MiB|GiB|TiB)?$/.exec(text)
  return match ? Number(match[1]) * UNIT_BYTES[(match[2] ?? '') as keyof typeof UNIT_BYTES] : undefined
}
