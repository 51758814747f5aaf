import { isSchedule } from '@posthaste/listener'
import { choice, duration, integer, type Setting, size, text } from './setting.js'

/**
 * Every setting. Drives reading, `--help`, `docs/configuration.md` and the log line at the start. A setting `dataDir` is
 * `--data-dir` on the command line, `POSTHASTE_DATA_DIR` in the environment and `"dataDir"` in the file.
 */
export const SETTINGS = {
  host: text({ default: '127.0.0.1', description: 'Address to listen on.' }),
  port: integer(0, 65_535, { default: '8080', description: 'Port to listen on; 0 picks a free one.' }),
  stream: choice(['embedded'], {
    default: 'embedded',
    description: 'Where instructions are kept: embedded needs nothing installed.',
  }),
  dataDir: text({
    default: './data',
    description: 'Directory of the embedded stream. Processes of one machine may share it.',
  }),
  diskReserve: size('0', '1TiB', {
    default: '256MiB',
    description:
      'Free disk space at which accepting stops, so that what was called can still be recorded. Calls stop at half of it.',
  }),
  journalAge: duration('1m', '3650d', {
    default: '7d',
    description: 'How long the journal, dead letters included, is kept.',
  }),
  journalSize: size('1MiB', '128GiB', {
    default: '8GiB',
    description: 'Size of the journal beyond which the oldest entries go.',
  }),
  schedule: text({
    default: '* * * * * *',
    description:
      'When the listener looks for work: a cron expression, with seconds if it has six fields, or off for pings only.',
    check: (given) => (given === 'off' || isSchedule(given) ? undefined : 'it is neither a cron expression nor off'),
  }),
  linger: duration('0ms', '1h', {
    default: '1500ms',
    description:
      'How long the listener waits for more once it has drained the stream. Longer than the schedule, and it never stops looking.',
  }),
  batchRecords: integer(1, 10_000, { default: '500', description: 'Records that the listener pulls at once.' }),
  concurrency: integer(1, 65_536, { default: '512', description: 'Calls running at once in a listener.' }),
  concurrencyPerTarget: integer(1, 65_536, {
    default: '64',
    description: 'Calls running at once for one target origin in a listener.',
  }),
  callTimeout: duration('1ms', '1h', {
    default: '30s',
    description: 'Time-out of a call whose instruction names none.',
  }),
  responseSize: size('0', '512KiB', {
    default: '256KiB',
    description: 'Response bodies are kept and forwarded up to this size.',
  }),
  stopGrace: duration('0ms', '1h', {
    default: '10s',
    description: 'How long running calls may go on when the process is asked to stop.',
  }),
  logLevel: choice(['debug', 'info', 'warn', 'error', 'silent'], { default: 'info', description: 'What is logged.' }),
  logAttempts: choice(['failed', 'all'], { default: 'failed', description: 'Which attempts get a log line.' }),
} as const satisfies Record<string, Setting<unknown>>

export type SettingKey = keyof typeof SETTINGS

type ValueOf<S> = S extends Setting<infer T> ? T : never

/** Every setting's value. Durations in milliseconds, sizes in bytes. */
export type Config = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> }

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[]

export function environmentName(key: string): string {
  return `POSTHASTE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
