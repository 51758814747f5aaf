import { type FieldError, pointerPart } from './errors.js'
import type { Forward } from './forward.js'
import { templateFault } from './forward-template.js'
import { checkHeaders } from './headers.js'
import type { ForwardInput } from './instruction-schema.js'
import { checkUrl } from './url.js'

/** Whom to forward to, and what he is told besides. */
export interface ForwardTo {
  readonly forwardTo?: string
  readonly forwardWith?: Forward
}

/** Reads `forwardTo`: a URL, or that with headers. `beside` is what of it a record says beside the URL. */
export function readForward(
  input: string | ({ readonly url: string } & ForwardInput) | undefined,
  beside: ForwardInput | undefined,
  errors: FieldError[],
): ForwardTo {
  if (input === undefined) return {}
  if (typeof input === 'string') {
    const forwardWith = beside && readHeaders(beside, '/forwardWith', errors)
    return { forwardTo: checkUrl(input, undefined, '/forwardTo', errors), ...(forwardWith && { forwardWith }) }
  }
  const forwardWith = readHeaders(input, '/forwardTo', errors)
  return { forwardTo: checkUrl(input.url, undefined, '/forwardTo/url', errors), ...(forwardWith && { forwardWith }) }
}

function readHeaders({ headers, passHeaders }: ForwardInput, under: string, errors: FieldError[]): Forward | undefined {
  if (!headers && !passHeaders) return undefined
  const found: FieldError[] = []
  const templates = headers && (checkHeaders(headers, { ownAllowed: false }, found) as NonNullable<Forward['headers']>)
  errors.push(...found.map((error) => ({ ...error, pointer: under + error.pointer })))
  for (const [name, template] of Object.entries(headers ?? {})) {
    const detail = templateFault(template)
    if (detail) errors.push({ pointer: `${under}/headers/${pointerPart(name)}`, code: 'invalid-field', detail })
  }
  return { ...(templates && { headers: templates }), ...(passHeaders && { passHeaders: true as const }) }
}
