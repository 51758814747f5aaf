import type { Call } from './call.js'
import type { FinalState } from './lifecycle.js'
import type { Outcome } from './outcome.js'

/** What a template may hold between braces. */
export const TEMPLATE_NAMES = [
  'id',
  'correlationId',
  'state',
  'status',
  'durationSeconds',
  'attempts',
  'generation',
] as const

type TemplateName = (typeof TEMPLATE_NAMES)[number]

/** A brace that stands for itself, `{name}` or `{name|instead}`, or a brace that is none of these. */
const PARTS = /\{(?:(\{)|(\w+)(?:\|([^{}]*))?\})?/g

/** Says what is wrong with a template; undefined if nothing is. */
export function templateFault(template: string): string | undefined {
  for (const [, brace, name] of template.matchAll(PARTS)) {
    if (brace === undefined && !TEMPLATE_NAMES.includes(name as TemplateName)) {
      const names = TEMPLATE_NAMES.map((one) => `{${one}}`).join(', ')
      return `Braces may hold a name: ${names}; or {status|503} for what stands where there is none. Write {{ for a brace.`
    }
  }
  return undefined
}

/** A text as a template that comes to that text: what somebody else has said must not be taken for names. */
export function templateOf(text: string): string {
  return text.replaceAll('{', '{{')
}

/** What a template without faults comes to. */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template.replace(PARTS, (_, brace?: string, name?: string, instead = '') =>
    brace === undefined ? (values[name as TemplateName] ?? instead) : brace,
  )
}

/** What the end of an invocation has to say; some of it there may not be. */
export type TemplateValues = Readonly<Record<TemplateName, string | undefined>>

/** `outcome` is that of the last attempt, or undefined if it was not made. */
export function templateValues(call: Call, state: FinalState, outcome: Outcome | undefined): TemplateValues {
  return {
    id: call.id,
    correlationId: call.correlationId,
    state,
    status: outcome?.kind === 'answered' ? String(outcome.response.status) : undefined,
    durationSeconds: outcome && (outcome.durationMs / 1000).toFixed(6),
    attempts: String(outcome ? call.attempt : call.attempt - 1),
    generation: String(call.generation),
  }
}
