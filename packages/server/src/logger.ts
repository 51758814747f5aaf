import { type DestinationStream, type Logger, pino } from 'pino'
import type { Config } from './config/table.js'

/** Where secrets stand if somebody logs what holds them, and how deep. */
const SECRETS = ['authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'password', 'token', 'secret']
const LEVELS = ['', '*', '*.*', '*.*.*']

/** Logs JSON lines to standard output. */
export function createLogger(config: Pick<Config, 'logLevel'>, destination?: DestinationStream): Logger {
  const options = {
    level: config.logLevel,
    redact: SECRETS.flatMap((name) => LEVELS.map((level) => `${level}["${name}"]`)),
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  }
  return destination ? pino(options, destination) : pino(options)
}
