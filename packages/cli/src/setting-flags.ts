import { environmentName, FLAG_TYPE, flagName, SETTING_KEYS, SETTINGS } from '@posthaste/server'
import { type Command, Option } from 'commander'

/** Adds a flag for every setting. */
export function addSettingFlags(command: Command): void {
  for (const key of SETTING_KEYS) {
    const { default: fallback, description, range, type } = SETTINGS[key]
    const notes = [
      environmentName(key),
      ...(range ? [range] : []),
      `default: ${fallback === '' ? 'none' : fallback}`,
    ].join('; ')
    const values = type.replaceAll(' \\| ', '|')
    const isFlag = type === FLAG_TYPE
    const option = new Option(
      `--${flagName(key)} ${isFlag ? `[${values}]` : `<${values}>`}`,
      `${description} (${notes})`,
    )
    command.addOption(isFlag ? option.preset('true') : option)
  }
}
