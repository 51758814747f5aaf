import { environmentName, flagName, SETTING_KEYS, SETTINGS } from '@posthaste/server'
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
    command.addOption(new Option(`--${flagName(key)} <${type.replaceAll(' \\| ', '|')}>`, `${description} (${notes})`))
  }
}
