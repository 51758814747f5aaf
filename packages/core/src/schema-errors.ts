import type { TLocalizedValidationError } from 'typebox/error'
import { DESTINATION_FORMATS } from './destination.js'
import type { FieldError } from './errors.js'
import { LIMITS } from './limits.js'

/** One more than any schema allows, so that it is found to be too many. */
const ITEMS_MAX = LIMITS.batchInvocationsMax + 1
const FIELDS_MAX = LIMITS.queryParametersMax + 1
/** No schema looks deeper. */
const LEVELS = 6

/** What a schema compiles to, of which this needs nothing more. */
interface Compiled {
  Errors(value: unknown): [isRight: boolean, errors: TLocalizedValidationError[]]
}

/** Says what is wrong with an input that a schema does not allow, in our words: one error a field, the most telling one. */
export function schemaErrors(schema: Compiled, input: unknown): FieldError[] {
  const [, found] = schema.Errors(beginningOf(input, LEVELS))
  if (found.length > 0) return told(found)
  return [{ pointer: '', code: 'invalid-field', detail: 'There is too much in it to say what is wrong.' }]
}

/**
 * A document with what lists and objects begin with. What is wrong takes a hundred times as long to say as that something
 * is: of a long document all else would wait for seconds.
 */
function beginningOf(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null || levels === 0) return value
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => beginningOf(item, levels - 1))
  const names = Object.keys(value).slice(0, FIELDS_MAX)
  return Object.fromEntries(names.map((name) => [name, beginningOf(value[name as keyof typeof value], levels - 1)]))
}

function told(found: readonly TLocalizedValidationError[]): FieldError[] {
  const byPointer = new Map<string, FieldError>()
  const add = (pointer: string, code: FieldError['code'], detail: string): void => {
    if (!byPointer.has(pointer)) byPointer.set(pointer, { pointer, code, detail })
  }
  for (const error of found) {
    const { instancePath: pointer, message } = error
    if (error.keyword === 'required') {
      for (const name of error.params.requiredProperties)
        add(`${pointer}/${name}`, 'missing-field', 'This field is needed.')
    } else if (error.keyword === 'boolean') {
      add(pointer, 'unknown-field', 'There is no such field.')
    } else if (pointer === '/method') {
      add(pointer, 'invalid-method', 'A method is a word in capital letters, such as POST.')
    } else if (error.keyword === 'enum') {
      add(pointer, 'invalid-field', `This must be one of ${error.params.allowedValues.join(', ')}.`)
    } else if (error.keyword === 'anyOf') {
      // The branches came before with a message each; the choice between them says it best.
      byPointer.set(pointer, {
        pointer,
        code: 'invalid-field',
        detail: unionDetailOf(pointer) ?? 'This is none of the values allowed.',
      })
    } else if (error.keyword !== 'additionalProperties') {
      add(pointer, 'invalid-field', `This ${message}.`)
    }
  }
  return [...byPointer.values()]
}

function unionDetailOf(pointer: string): string | undefined {
  const [, field = '', member] = pointer.split('/')
  return UNION_DETAIL[`${field}/${member}`] ?? UNION_DETAIL[field]
}

const DESTINATION_DETAIL = `This must be a URL, or an object with a url, and a format if you like: ${DESTINATION_FORMATS.join(', ')}.`

const UNION_DETAIL: Readonly<Record<string, string>> = {
  headers: 'A header is a string or a list of strings.',
  query: 'A query parameter is a string, a number, true or false, or a list of these.',
  bodyEncoding: 'This must be "json", "text" or "base64".',
  forwardTo: 'This must be a URL, or an object with a url, and headers and passHeaders if you like.',
  onSuccess: DESTINATION_DETAIL,
  onFailure: DESTINATION_DETAIL,
  'retry/jitter': 'This must be "none", "equal" or "full".',
  'retry/statuses': 'This must be a status, a class or a range of them, from 300 to 599: 503, "5xx" or "502-599".',
}
