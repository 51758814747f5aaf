import { checkForm, type Form } from './door-forms.js'
import { type DoorRequest, FUNCTIONS, OPERATIONS } from './door-requests.js'
import { isSigning, showing } from './door-showing.js'
import { checkStatuses, type FuzzCaller } from './fuzz-checks.js'
import type { Answered, Asked, Wire } from './fuzz-wire.js'

/** On what is to be refused: a function that gets it was called all the same. */
export const REFUSED_HEADER = 'x-to-be-refused'
/** On what functions answer themselves: that may be anything. */
export const FUNCTION_HEADER = 'x-of-function'
/** What is of another tenant is answered as what is not there. */
const TELLING = [200, 202, 409, 412]
const TASKS_MAX = 200

/** Sends requests to front doors, and looks at what is answered. */
export class DoorFuzz {
  /** How often what was asked for was done. */
  readonly done: Record<string, number> = Object.fromEntries(OPERATIONS.map(({ name }) => [name, 0]))
  readonly #wire: Wire
  readonly #callers: readonly FuzzCaller[]
  /** By tenant, the names of tasks that were taken; whose it is stands in each. */
  readonly #tasks: Record<string, string[]> = {}
  #named = 0

  constructor(wire: Wire, callers: readonly FuzzCaller[]) {
    this.#wire = wire
    this.#callers = callers
  }

  /** @throws Error if something is wrong */
  async send(one: DoorRequest): Promise<void> {
    const caller = this.#caller(one.caller)
    const { tenant } = this.#caller(one.taskOf ?? one.caller)
    const isAllowed = mayDo(one, caller)
    const name = this.#newName(one, caller)
    const asked = askedOf(one, this.#taskOf(tenant, one.task), {
      ...(name !== undefined && { 'x-call-id': name, 'x-request-id': name, 'x-fc-async-task-id': name }),
      ...(!isAllowed && { [REFUSED_HEADER]: '1' }),
    })
    const answered = await this.#wire.exchange(showing(asked, this.#wire.url, caller, one))
    const { status } = answered
    checkAnswer(one, caller, answered)
    if (!isAllowed && status < 400) throw new Error(`${status} for who may not.`)
    if (isOfTask(one) && tenant !== caller.tenant && TELLING.includes(status))
      throw new Error(`${status} for what is of another tenant.`)
    if (status < 300) this.#succeeded(one, caller, answered)
    if (status === 202 && name !== undefined) this.#remember(caller, name)
  }

  #succeeded({ method, operation, shown }: DoorRequest, { tenant }: FuzzCaller, { text }: Answered): void {
    const others = this.#callers.filter((other) => other.tenant !== tenant)
    if (others.some((other) => text.includes(nameBy(other, ''))))
      throw new Error(`It tells of what is of another tenant: ${text}`)
    if (method !== operation.method) return
    const names = isSigning(shown) ? [operation.name, `signed by ${shown}`] : [operation.name]
    for (const one of names) this.done[one] = (this.done[one] ?? 0) + 1
  }

  #caller(number: number): FuzzCaller {
    return this.#callers[number % this.#callers.length] as FuzzCaller
  }

  #newName({ operation, task }: DoorRequest, caller: FuzzCaller): string | undefined {
    if (operation.scope !== 'invoke' || task % 2 > 0) return undefined
    this.#named += 1
    return nameBy(caller, this.#named)
  }

  #taskOf(tenant: string, number: number): string {
    const known = this.#tasks[tenant] ?? []
    return known[number % known.length] ?? 'nothing'
  }

  #remember({ tenant }: FuzzCaller, name: string): void {
    this.#tasks[tenant] = [name, ...(this.#tasks[tenant] ?? [])].slice(0, TASKS_MAX)
  }
}

/** @throws Error if it is no answer that may be, whoever asks */
function checkAnswer(one: DoorRequest, caller: FuzzCaller, answered: Answered): void {
  const { headers, status } = answered
  if (headers[FUNCTION_HEADER] !== undefined) return
  if (!(mayFail(one) && (status === 502 || status === 504))) checkStatuses([status])
  if (status >= 400 && one.method !== 'HEAD') checkForm(formsOf(one, caller), answered)
}

/** As it is asked, without what says who asks. */
function askedOf(one: DoorRequest, taskName: string, more: Readonly<Record<string, string>>): Asked {
  const { body, fn, headers, method, operation, options, rest, to } = one
  const isQuery = operation.path.includes('?to=')
  const path = operation.path
    .replace('{fn}', fn)
    .replace('{rest}', rest)
    .replace('{task}', taskName)
    .replace('{to}', isQuery ? [encodeURIComponent(to), ...options].join('&') : to)
  return { method, path, headers: { ...more, ...headers }, body }
}

function isOfTask({ method, operation }: DoorRequest): boolean {
  return operation.path.includes('{task}') && method === operation.method
}

/** A name for a task, in which stands whose it is. */
function nameBy({ tenant }: FuzzCaller, number: number | string): string {
  return `of_${tenant}_task_${number}`
}

/** Whether nothing forbids it: what is asked for may be wrong even so. */
function mayDo({ flaw, fn, method, operation, shown, to }: DoorRequest, caller: FuzzCaller): boolean {
  if (caller.token === undefined) return true
  if (!caller.isKnown || shown === 'nothing' || shown === 'noise') return false
  if (shown === 'query' && !operation.path.startsWith('/call?')) return false
  if (isSigning(shown) && flaw !== undefined) return false
  if (method !== operation.method) return true
  const name = operation.path.startsWith('/call') ? (/^function:\/\/(\w+)/.exec(to)?.[1] ?? '') : fn
  const isNamed = operation.scope !== 'invoke' || name === '' || (caller.functions?.includes(name) ?? true)
  return caller.scopes.includes(operation.scope) && isNamed
}

function mayFail({ fn, operation: { path } }: DoorRequest): boolean {
  return path.includes('{fn}') && FUNCTIONS.failing.includes(fn)
}

/** In which forms an error may be told. */
function formsOf({ fn, operation, shown }: DoorRequest, { token }: FuzzCaller): Form[] {
  const { form, name } = operation
  // Then it is another path, or none.
  if (fn === '' && operation.path.includes('{fn}')) return [form, 'problem']
  if (!name.startsWith('at once') || !isSigning(shown) || token === undefined) return [form]
  return [shown === 'aws' ? 'gateway' : 'alibaba']
}
