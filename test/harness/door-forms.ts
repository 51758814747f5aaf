import { checkProblem } from './fuzz-checks.js'
import type { Answered } from './fuzz-wire.js'

/** How errors are told: as each system does. */
export type Form = 'text' | 'problem' | 'aws' | 'gateway' | 'alibaba' | 'alibaba2016'

/** Whether an answer is an error in that form. */
const IS_OF: Readonly<Record<Form, (answered: Answered) => boolean>> = {
  text: ({ text, type }) => type.startsWith('text/plain') && text !== '',
  problem(answered) {
    checkProblem(answered)
    return true
  },
  aws: (answered) => isAmazon(answered) && hasTexts(answered, ['Type', 'Message', 'message']),
  gateway: (answered) => isAmazon(answered) && hasTexts(answered, ['message']),
  alibaba: (answered) => isAlibaba(answered) && hasTexts(answered, ['RequestId', 'Code', 'Message']),
  alibaba2016: (answered) => isAlibaba(answered) && hasTexts(answered, ['ErrorCode', 'ErrorMessage']),
}

/** @throws Error if an error is told in none of these forms */
export function checkForm(forms: readonly Form[], answered: Answered): void {
  if (forms.some((form) => isOf(form, answered))) return
  throw new Error(`${answered.status} is not told as ${forms.join(' or ')}: ${answered.type} ${answered.text}`)
}

function isOf(form: Form, answered: Answered): boolean {
  try {
    return IS_OF[form](answered)
  } catch {
    return false
  }
}

function isAmazon({ headers, type }: Answered): boolean {
  return type === 'application/json' && /^[A-Z]\w+Exception$/.test(String(headers['x-amzn-errortype']))
}

function isAlibaba({ headers, type }: Answered): boolean {
  return type === 'application/json' && headers['x-fc-error-type'] !== undefined && 'x-fc-request-id' in headers
}

/** Whether it is JSON with these members, and no others. */
function hasTexts({ text }: Answered, names: readonly string[]): boolean {
  const body = JSON.parse(text) as Readonly<Record<string, unknown>>
  const isWhole = names.every((name) => typeof body[name] === 'string' && body[name] !== '')
  return isWhole && Object.keys(body).length === names.length
}
