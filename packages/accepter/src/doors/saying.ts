import { type FieldError, type InstructionInput, PosthasteError, pointerPart } from '@posthaste/core'
import { readIdempotencyKey } from '../idempotency-key.js'
import { BY_HEADER, BY_PARAMETER, type Option } from './raw-options.js'

/** What a call or a forward of ours brings, should it come here: it says nothing of the next one. */
const OF_A_CALL = new Set(
  ['id', 'attempt', 'answered-attempts', 'unanswered-attempts', 'generation', 'depth', 'remaining-seconds']
    .concat('state', 'status', 'duration-seconds', 'error', 'truncated', 'schedule-id', 'schedule-time')
    .map((name) => `posthaste-${name}`),
)
const NO_SUCH = 'There is no such option.'
const SAID_TWICE = 'This is said twice, and not the same.'

/** An instruction but for its body, as it is said by the parameters of a query and by headers. */
export class Saying {
  readonly #said: Record<string, unknown> = {}
  readonly #errors: FieldError[] = []
  #idempotencyKey: string | undefined

  get idempotencyKey(): string | undefined {
    return this.#idempotencyKey
  }

  /** `to` is the target; `header.NAME` and `query.NAME` go there, `forwardTo.header.NAME` with the forward; `token` said who asks. */
  addQuery(query: URLSearchParams): void {
    for (const [name, value] of query) {
      const [, kind, inner = ''] = /^(header|query|forwardTo\.header)\.(.+)$/.exec(name) ?? []
      const option = BY_PARAMETER.get(name)
      if (kind === 'forwardTo.header') this.#tell(inner, value)
      else if (kind === 'header') this.#append('headers', inner.toLowerCase(), value)
      else if (kind === 'query') this.#append('query', inner, value)
      else if (name === 'idempotencyKey') this.#setKey(value, name)
      else if (name === 'token') continue
      else if (option) this.#set(option, value, name)
      else this.#fail(name, 'unknown-field', NO_SUCH)
    }
  }

  /** `Posthaste-Delay`, and such. */
  addHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): void {
    for (const [name, value] of Object.entries(headers)) {
      const option = BY_HEADER.get(name)
      if (option) this.#set(option, String(value), name)
      else if (name === 'idempotency-key') this.#setKey(String(value), name)
      else if (name.startsWith('posthaste-') && !OF_A_CALL.has(name)) this.#fail(name, 'unknown-field', NO_SUCH)
    }
  }

  setTarget(url: string): void {
    this.#said.target = url
  }

  /** With headers that pass on; those that were said win. @throws PosthasteError with all that is wrong */
  instruction(passed: NonNullable<InstructionInput['headers']>): InstructionInput {
    if (this.#errors.length > 0) throw PosthasteError.ofFields(this.#errors)
    return { ...this.#said, headers: { ...passed, ...(this.#said.headers as object | undefined) } } as InstructionInput
  }

  #set({ must, path: [field, member], read }: Option, text: string, name: string): void {
    const value = read(text)
    const place = member === undefined ? this.#said : this.#within(field)
    const key = member ?? field
    const known = place[key]
    if (value === undefined) this.#fail(name, 'invalid-field', `This must be ${must}.`)
    else if (known !== undefined && String(known) !== String(value)) this.#fail(name, 'conflicting-fields', SAID_TWICE)
    else place[key] = value
  }

  #setKey(text: string, name: string): void {
    const key = readIdempotencyKey(text)
    this.#idempotencyKey ??= key
    if (this.#idempotencyKey !== key) this.#fail(name, 'conflicting-fields', SAID_TWICE)
  }

  /** A header of the forward. */
  #tell(name: string, template: string): void {
    const forward = this.#within('forwardTo')
    forward.headers = { ...(forward.headers as object | undefined), [name]: template }
  }

  #append(field: 'headers' | 'query', name: string, value: string): void {
    const place = this.#within(field)
    place[name] = [...((place[name] as string[] | undefined) ?? []), value]
  }

  #within(field: string): Record<string, unknown> {
    this.#said[field] ??= Object.create(null)
    return this.#said[field] as Record<string, unknown>
  }

  #fail(name: string, code: FieldError['code'], detail: string): void {
    this.#errors.push({ pointer: `/${pointerPart(name)}`, code, detail })
  }
}
