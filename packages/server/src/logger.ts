import { type DestinationStream, type Logger, pino } from 'pino'
import type { Config } from './config/table.js'

/** Where secrets stand if somebody logs what holds them. */
const SECRETS = ['authorization', 'cookie', '"set-cookie"', '"proxy-authorization"', 'password', 'token', 'secret']

/** Logs JSON lines to standard output. */
export function createLogger(config: Pick<Config, 'logLevel'>, destination?: DestinationStream): Logger {
  const options = {
    level: config.logLevel,
    redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`].map((path) => path.replace(/\.(?=")/, ''))),
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  }
  return destination ? pino(options, destination) : pino(options)
}
