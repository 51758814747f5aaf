import type { Call } from './call.js'
import { isTruncated, type Outcome, type TargetResponse } from './outcome.js'
import { ruleFor, type TargetRule } from './target-rule.js'

const MASK = '***'
const NONE = new Uint8Array(0)
/** The length of an array is not. */
const isEnumerable = Object.prototype.propertyIsEnumerable

/** An outcome as it may be kept and told: what the rules for the target say is blanked in the response's body. */
export function redactedOutcome<O extends Outcome>(outcome: O, rules: readonly TargetRule[], target: string): O {
  const pointers = ruleFor(rules, 'redact', target)
  if (!pointers || outcome.kind !== 'answered') return outcome
  return { ...outcome, response: redactedResponse(outcome.response, pointers) }
}

/** A call to `url` as its destination may be told of it. It is made as it was asked for. */
export function redactedCall(call: Call, rules: readonly TargetRule[], url = call.target): Call {
  const pointers = ruleFor(rules, 'redact', url)
  return pointers ? { ...call, body: redactedBody(call.body, pointers) ?? NONE } : call
}

/** What cannot be read, and so not be blanked, counts as too large to keep: it has its size and no body. */
function redactedResponse(response: TargetResponse, pointers: readonly string[]): TargetResponse {
  if (isTruncated(response)) return response
  const body = redactedBody(response.body, pointers)
  return body ? { ...response, body, bodyBytes: body.length } : { ...response, body: NONE }
}

/** A JSON document with `***` for what JSON pointers lead to; the same bytes if they lead nowhere; undefined for no JSON. */
export function redactedBody(body: Uint8Array, pointers: readonly string[]): Uint8Array | undefined {
  if (body.length === 0) return body
  const root = parse(body)
  if (!root) return undefined
  const hits = pointers.filter((pointer) => blank(root, pointer)).length
  return hits > 0 ? Buffer.from(JSON.stringify(root.document)) : body
}

/** Around the document, so that all of it can be blanked too. */
interface Root {
  document: unknown
}

function parse(body: Uint8Array): Root | undefined {
  try {
    return { document: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) }
  } catch {
    return undefined
  }
}

/** Whether a pointer (RFC 6901) led to something, which is blank then. */
function blank(root: Root, pointer: string): boolean {
  const names = ['document', ...pointer.split('/').slice(1).map(unescaped)]
  const last = names.pop() as string
  let at: unknown = root
  for (const name of names) at = memberOf(at, name)
  if (memberOf(at, last) === undefined) return false
  // As a plain member, whatever it is called.
  Object.defineProperty(at, last, { value: MASK, enumerable: true })
  return true
}

function memberOf(value: unknown, name: string): unknown {
  const isMember = typeof value === 'object' && value !== null && isEnumerable.call(value, name)
  return isMember ? (value as Record<string, unknown>)[name] : undefined
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~')
}
