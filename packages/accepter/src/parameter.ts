import { formatDuration, PosthasteError, parseDuration, parseInstant, parseTargetFilter } from '@posthaste/core'

/** A query parameter: how its text is read, and what the OpenAPI document says of it. */
export interface Parameter<T> {
  readonly description: string
  readonly schema: object
  /** Undefined if the text cannot be read. */
  read(text: string): T | undefined
  /** What it must be, for who sent something else. */
  readonly must: string
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>

/** What was read; without what was not sent. */
export type QueryOf<P extends Parameters> = {
  readonly [Name in keyof P]?: P[Name] extends Parameter<infer T> ? T : never
}

export function duration(description: string, maxMs: number): Parameter<number> {
  const longest = formatDuration(maxMs)
  return {
    description: `${description} A duration such as \`10s\` or \`PT10S\`, up to \`${longest}\`.`,
    schema: { type: 'string' },
    read: (text) => inRange(parseDuration(text), 0, maxMs),
    must: `a duration of up to ${longest}, such as 10s`,
  }
}

export function time(description: string): Parameter<number> {
  return {
    description: `${description} An RFC 3339 date-time.`,
    schema: { type: 'string', format: 'date-time' },
    read: parseInstant,
    must: 'an RFC 3339 date-time such as 2026-12-24T18:00:00Z',
  }
}

export function integer(description: string, minimum: number, maximum: number): Parameter<number> {
  return {
    description,
    schema: { type: 'integer', minimum, maximum },
    read: (text) => (/^\d{1,15}$/.test(text) ? inRange(Number(text), minimum, maximum) : undefined),
    must: `a whole number from ${minimum} to ${maximum}`,
  }
}

/** Several of these words, with commas between them. */
export function words<const Word extends string>(
  description: string,
  allowed: readonly Word[],
): Parameter<readonly Word[]> {
  return {
    description,
    // Written with commas: `explode: false` stands beside every parameter.
    schema: { type: 'array', items: { type: 'string', enum: allowed } },
    read: (text) => {
      const found = [...new Set(text.split(','))]
      return found.every((word): word is Word => (allowed as readonly string[]).includes(word)) ? found : undefined
    },
    must: `one or more of ${allowed.join(', ')}, with commas between them`,
  }
}

export function target(description: string): Parameter<string> {
  return { description, schema: { type: 'string' }, read: parseTargetFilter, must: 'an absolute http or https URL' }
}

export function text(description: string): Parameter<string> {
  return { description, schema: { type: 'string' }, read: (given) => given || undefined, must: 'some text' }
}

/**
 * Reads the query of a request. Where `ignoresOthers`, others than these may stand there.
 * @throws PosthasteError `invalid-query`
 */
export function readQuery<P extends Parameters>(
  parameters: P,
  query: Readonly<Record<string, unknown>>,
  ignoresOthers: boolean,
): QueryOf<P> {
  const read: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(query)) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (parameter) read[name] = readOne(name, parameter, given)
    else if (!ignoresOthers) throw new PosthasteError('invalid-query', `There is no parameter "${name}" here.`)
  }
  return read as QueryOf<P>
}

function readOne(name: string, { must, read }: Parameter<unknown>, given: unknown): unknown {
  // One that is sent twice is a list.
  const value = typeof given === 'string' ? read(given) : undefined
  if (value === undefined) throw new PosthasteError('invalid-query', `${name}: This must be ${must}.`)
  return value
}

function inRange(value: number | undefined, minimum: number, maximum: number): number | undefined {
  return value !== undefined && value >= minimum && value <= maximum ? value : undefined
}
