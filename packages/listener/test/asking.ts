import {
  type Call,
  type Directive,
  decodeDirective,
  directiveKey,
  encodeCall,
  encodeDirective,
  type JournalEntry,
  keptUntilMs,
  nextDirectiveNumber,
  prevails,
} from '@posthaste/core'
import type { Stream } from '@posthaste/stream'
import { readJournal, until } from './setting.js'

let number = 0

/** What an accepter asks of a call that waits. */
export function directiveFor(call: Call, what: Partial<Directive> & Pick<Directive, 'kind'>): Directive {
  const nowMs = Date.now()
  number = nextDirectiveNumber(nowMs, number, Math.random())
  return {
    id: call.id,
    generation: call.generation,
    attempt: call.attempt,
    number,
    askedAtMs: nowMs,
    isDone: false,
    untilMs: keptUntilMs(nowMs, call.notBeforeMs),
    record: encodeCall(call),
    ...what,
  }
}

/** Asks as an accepter would. */
export async function ask(
  stream: Stream,
  call: Call,
  what: Partial<Directive> & Pick<Directive, 'kind'>,
): Promise<Directive> {
  const directive = directiveFor(call, what)
  await write(stream, directive)
  return directive
}

export function cancel(stream: Stream, call: Call): Promise<Directive> {
  return ask(stream, call, { kind: 'cancel' })
}

export function move(stream: Stream, call: Call, dueMs: number): Promise<Directive> {
  return ask(stream, call, { kind: 'move', dueMs })
}

export function write(stream: Stream, ...directives: Directive[]): Promise<void> {
  return stream.append(
    'control',
    directives.map((directive) => ({ key: directiveKey(directive), value: encodeDirective(directive) })),
  )
}

/** What stands on the control log, by key. */
export async function readControlKeys(stream: Stream): Promise<Map<string, Directive>> {
  const found = new Map<string, Directive>()
  for await (const { records } of stream.follow('control', 'start', { untilEnd: true })) {
    for (const { key, value } of records) {
      if (value.length === 0) found.delete(key)
      else found.set(key, decodeDirective(value))
    }
  }
  return found
}

/** What counts on the control log, by id. */
export async function readControl(stream: Stream): Promise<Map<string, Directive>> {
  const found = new Map<string, Directive>()
  for (const directive of (await readControlKeys(stream)).values()) {
    const other = found.get(directive.id)
    if (!other || prevails(directive, other)) found.set(directive.id, directive)
  }
  return found
}

/** Waits until somebody has acted on what was asked, and returns what stands then. */
export async function acted(stream: Stream, { id, number: asked }: Directive): Promise<Directive> {
  let found: Directive | undefined
  await until(async () => {
    found = (await readControl(stream)).get(id)
    return found?.isDone === true && found.number === asked
  })
  return found as Directive
}

/** What the journal tells of a call. */
export async function entriesOf(stream: Stream, { id }: Call): Promise<JournalEntry[]> {
  return (await readJournal(stream)).filter((entry) => entry.id === id)
}

export async function statesOf(stream: Stream, call: Call): Promise<string[]> {
  return (await entriesOf(stream, call)).map(({ state }) => state)
}
