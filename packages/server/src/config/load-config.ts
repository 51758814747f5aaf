import { type FieldError, PosthasteError } from '@posthaste/core'
import { readJsonFile } from './json-file.js'
import { type Config, environmentName, flagName, SETTING_KEYS, SETTINGS, type SettingKey } from './table.js'

/** Names the configuration file. Not a setting: a file cannot name itself. */
const CONFIG_FILE_ENVIRONMENT = 'POSTHASTE_CONFIG'
/** Say to the commands that ask a running process where that is, and by which token: no settings, but no typing errors either. */
const COMMAND_ENVIRONMENT = ['POSTHASTE_URL', 'POSTHASTE_TOKEN']

export interface ConfigSources {
  /** From the command line, by setting key. */
  readonly flags?: Readonly<Partial<Record<SettingKey, string>>>
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Path of a JSON file, over `POSTHASTE_CONFIG`. */
  readonly file?: string
}

interface Given {
  readonly value: string
  /** For people: where it was written. */
  readonly where: string
}

/**
 * Reads the configuration: flag over environment over file over default.
 * @throws PosthasteError `invalid-configuration` that names everything that is wrong
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const environment = sources.environment ?? process.env
  const faults: string[] = []
  const file = readConfigFile(sources.file ?? environment[CONFIG_FILE_ENVIRONMENT], faults)
  faults.push(...unknownVariables(environment))
  const config: Record<string, unknown> = {}
  for (const key of SETTING_KEYS) {
    const given = lookUp(key, sources.flags ?? {}, environment, file)
    const parsed = SETTINGS[key].parse(given.value, environment)
    if ('value' in parsed) config[key] = parsed.value
    else
      faults.push(
        `${given.where}: ${SETTINGS[key].secret ? 'the value' : `"${given.value}"`} is not valid: ${parsed.fault}.`,
      )
  }
  if (faults.length > 0)
    throw new PosthasteError('invalid-configuration', faults.join('\n'), { fields: faults.map(asField) })
  return config as unknown as Config
}

/** The configuration as it may be shown: secrets are masked. */
export function maskConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].secret ? '***' : config[key]]))
}

function lookUp(
  key: SettingKey,
  flags: Readonly<Partial<Record<SettingKey, string>>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: Readonly<Record<string, unknown>>,
): Given {
  const flag = flags[key]
  if (flag !== undefined) return { value: flag, where: `--${flagName(key)}` }
  const variable = environment[environmentName(key)]
  if (variable !== undefined) return { value: variable, where: environmentName(key) }
  const written = Object.hasOwn(file, key) ? file[key] : undefined
  if (typeof written === 'string' || typeof written === 'number')
    return { value: String(written), where: `"${key}" in the configuration file` }
  return { value: SETTINGS[key].default, where: `the default of ${key}` }
}

function readConfigFile(path: string | undefined, faults: string[]): Readonly<Record<string, unknown>> {
  if (path === undefined) return {}
  const read = readJsonFile(path)
  if ('fault' in read) {
    faults.push(`The configuration file ${path} ${read.fault}.`)
    return {}
  }
  const content = read.value
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    faults.push(`The configuration file ${path} is not a JSON object.`)
    return {}
  }
  for (const [key, value] of Object.entries(content)) {
    if (!Object.hasOwn(SETTINGS, key)) faults.push(`"${key}" in the configuration file: there is no such setting.`)
    else if (typeof value !== 'string' && typeof value !== 'number')
      faults.push(`"${key}" in the configuration file is not a string or a number.`)
  }
  return content as Record<string, unknown>
}

/** A variable that looks like ours and is not is a typing error. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set([CONFIG_FILE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, ...SETTING_KEYS.map(environmentName)])
  return Object.keys(environment)
    .filter((name) => name.startsWith('POSTHASTE_') && !known.has(name))
    .map((name) => `${name}: there is no such setting.`)
}

const asField = (detail: string): FieldError => ({ pointer: '', code: 'invalid-configuration', detail })
