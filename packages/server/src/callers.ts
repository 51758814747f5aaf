import { isDeepStrictEqual } from 'node:util'
import { type Credentials, JwtCallers, requestLimit, Tokens } from '@posthaste/accepter'
import { isLoopbackHost, type Log, PosthasteError, parseTokenFile, type TokenHolder } from '@posthaste/core'
import { readJsonFile } from './config/json-file.js'
import type { Config } from './config/table.js'
import { FileWatch } from './file-watch.js'
import { jwtOptionsOf } from './jwt-options.js'

/** Who may ask a process, as its configuration says. */
export class Callers {
  /** Undefined if nobody has to say who he is. */
  readonly credentials: Credentials | undefined
  readonly #log: Log
  readonly #watch: FileWatch | undefined
  /** As they stand in the file. */
  #holders: readonly TokenHolder[]

  /** @throws PosthasteError `invalid-configuration`, also if anybody at all could ask over the network */
  constructor(config: Config, log: Log) {
    this.#log = log
    const { openMax, pingSecret, requestsPerSecond, tokens: file } = config
    const usual = {
      ...(requestsPerSecond > 0 && { limit: requestLimit(requestsPerSecond) }),
      ...(openMax > 0 && { openMax }),
    }
    const jwt = jwtOptionsOf(config, log, usual)
    this.#holders = file?.holders ?? []
    const tokens = file && new Tokens(this.#holders, usual)
    const jwts = jwt && new JwtCallers(jwt)
    if (tokens || jwts) {
      // No token of ours has a dot, and every JWT has.
      this.credentials = { callerOf: (shown) => (shown.includes('.') ? jwts : tokens)?.callerOf(shown) }
    } else {
      refuseExposure(config, log)
      if (pingSecret !== '') throw unfit('POSTHASTE_PING_SECRET is of no use where there are neither tokens nor JWTs.')
    }
    if (file && tokens) this.#watch = new FileWatch(file.path, () => this.#readAgain(file.path, tokens))
  }

  /** Begins to look whether there are other tokens. */
  start(): void {
    this.#watch?.start()
  }

  async stop(): Promise<void> {
    await this.#watch?.stop()
  }

  #readAgain(path: string, tokens: Tokens): void {
    try {
      const read = readJsonFile(path)
      if ('fault' in read) throw unfit(`${path} ${read.fault}.`)
      const holders = parseTokenFile(read.value)
      if (isDeepStrictEqual(holders, this.#holders)) return
      this.#holders = holders
      tokens.replace(holders)
      this.#log.info({ path, tokens: holders.map(({ name }) => name) }, 'the tokens have changed')
    } catch (error) {
      if (!(error instanceof PosthasteError)) throw error
      const faults = error.fields.map(({ detail, pointer }) => `${pointer}: ${detail}`)
      const reason = faults.length > 0 ? faults.join(' ') : error.message
      this.#log.error({ path, reason }, 'the tokens have changed, but cannot be read: those from before hold on')
    }
  }
}

/** @throws PosthasteError if anybody could have calls made, and nobody said that he may */
function refuseExposure({ adminHost, adminPort, host, insecure }: Config, log: Log): void {
  const hosts = adminPort === 'off' ? { host } : { host, adminHost }
  const exposed = Object.entries(hosts).filter(([, one]) => !isLoopbackHost(one))
  if (exposed.length === 0) return
  if (insecure) log.warn(Object.fromEntries(exposed), 'insecure: whoever can reach this process may have calls made')
  else {
    const [[name, one] = []] = exposed
    throw unfit(
      `${name === 'host' ? 'POSTHASTE_HOST' : 'POSTHASTE_ADMIN_HOST'} is ${one}: whoever can reach that could have calls ` +
        'made. Say who may: make a token with `posthaste token create`, and name its file with POSTHASTE_TOKENS, or ' +
        'configure POSTHASTE_JWT_ISSUER. Or listen on 127.0.0.1. Or take the risk with --insecure.',
    )
  }
}

function unfit(detail: string): PosthasteError {
  return new PosthasteError('invalid-configuration', detail)
}
