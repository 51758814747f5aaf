import { type Credentials, JwtCallers, requestLimit, Tokens } from '@posthaste/accepter'
import { isLoopbackHost, type Log, PosthasteError, parseTokenFile, type TokenHolder } from '@posthaste/core'
import { readJsonFile } from './config/json-file.js'
import { secretReader } from './config/secret-reader.js'
import type { Config, TokenFile } from './config/table.js'
import { FollowedFile } from './followed-file.js'
import { jwtOptionsOf } from './jwt-options.js'

/** Who may ask a process, as its configuration says. */
export class Callers {
  /** Undefined if nobody has to say who he is. */
  readonly credentials: Credentials | undefined
  readonly #file: FollowedFile<readonly TokenHolder[]> | undefined

  /** @throws PosthasteError `invalid-configuration`, also if anybody at all could ask over the network */
  constructor(config: Config, log: Log) {
    const { openMax, pingSecret, requestsPerSecond, tokens: file } = config
    const usual = {
      ...(requestsPerSecond > 0 && { limit: requestLimit(requestsPerSecond) }),
      ...(openMax > 0 && { openMax }),
    }
    const jwt = jwtOptionsOf(config, log, usual)
    const tokens = file && new Tokens(file.holders, usual)
    const jwts = jwt && new JwtCallers(jwt)
    if (tokens || jwts) {
      // No token of ours has a dot, and every JWT has.
      this.credentials = {
        callerOf: (shown) => (shown.includes('.') ? jwts : tokens)?.callerOf(shown),
        keyOf: (id) => tokens?.keyOf(id),
      }
    } else {
      refuseExposure(config, log)
      if (pingSecret !== '') throw unfit('POSTHASTE_PING_SECRET is of no use where there are neither tokens nor JWTs.')
    }
    if (file && tokens) this.#file = followed(file, tokens, log)
  }

  /** Begins to look whether there are other tokens. */
  start(): void {
    this.#file?.start()
  }

  async stop(): Promise<void> {
    await this.#file?.stop()
  }
}

function followed({ holders, path }: TokenFile, tokens: Tokens, log: Log): FollowedFile<readonly TokenHolder[]> {
  return new FollowedFile<readonly TokenHolder[]>({
    ...{ what: 'tokens', path, log },
    value: holders,
    read: (onSecretFile) => readTokens(path, onSecretFile),
    onChange(holders) {
      tokens.replace(holders)
      log.info({ path, tokens: holders.map(({ name }) => name) }, 'the tokens have changed')
    },
  })
}

function readTokens(path: string, onSecretFile: (file: string) => void): TokenHolder[] {
  const read = readJsonFile(path)
  if ('fault' in read) throw unfit(`${path} ${read.fault}.`)
  try {
    return parseTokenFile(read.value, secretReader(path, undefined, onSecretFile))
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    throw unfit(error.fields.map(({ detail, pointer }) => `${pointer}: ${detail}`).join(' '))
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
