import { childId } from '@posthaste/core'
import type { InvocationModel } from './invocation-model.js'
import { type Life, tells } from './life.js'
import type { Heard } from './model-target.js'
import type { Plan, Told } from './plan.js'

/** What tells somebody of the end of a generation of `parent`: the forward of its response, or a word to a destination. */
export interface Origin {
  readonly parent: InvocationModel
  readonly generation: number
  readonly role: 'forward' | 'destination'
}

/** What an instruction does that says nothing of it. */
export type Defaults = Pick<Plan, 'maxAttempts' | 'retryDelayMs' | 'maxAgeMs'>

/** Those that come of the generations of `parent` so far, whoever of them is to be told. */
export function originsOf(parent: InvocationModel): Origin[] {
  const generations = Math.max(0, ...parent.lives.map(({ generation }) => generation))
  return Array.from({ length: generations }, (_, index) => index + 1).flatMap((generation) => {
    const origins = [
      { parent, generation, role: 'forward' } as const,
      { parent, generation, role: 'destination' } as const,
    ]
    return origins.filter((origin) => wantedBy(origin).length > 0)
  })
}

export function idOf({ generation, parent: { id }, role }: Origin): string {
  return childId(role, { id, generation, acceptedAtMs: 0 })
}

export function planOf({ parent: { plan } }: Origin, defaults: Defaults): Plan {
  const { correlationId, tells } = plan
  return { ...defaults, script: tells?.script ?? [], delayMs: 0, ...(correlationId !== undefined && { correlationId }) }
}

/** Whether an end of the parent gives rise to it. */
export function bears(origin: Origin, life: Life): boolean {
  return wantedBy(origin).some((told) => tells(life, origin.generation, told))
}

/** Returns what is wrong with what is told; undefined if nothing is. */
export function faultOf({ generation, parent, role }: Origin, { arrival, depth, told }: Heard): string | undefined {
  const { state, whom } = told ?? {}
  if (arrival.id !== parent.id) return `it tells of ${arrival.id}, and not of ${parent.id}`
  if (depth !== 1) return `its depth is ${depth}`
  if (role === 'forward') return whom === 'forwardTo' ? undefined : `a forward goes to ${whom}`
  if (whom !== (state === 'succeeded' ? 'onSuccess' : 'onFailure')) return `${whom} is told that it ${state}`
  const body = JSON.parse(arrival.body) as { data?: EndRecord } & EndRecord
  const { posthaste } = body.data ?? body
  const isRight = posthaste?.generation === generation && posthaste.state === state
  return isRight ? undefined : `it tells of generation ${posthaste?.generation}, which ${posthaste?.state}`
}

function wantedBy({ parent: { plan }, role }: Origin): Told[] {
  return (plan.tells?.whom ?? []).filter((told) => (told === 'forwardTo') === (role === 'forward'))
}

interface EndRecord {
  readonly posthaste?: { readonly generation: number; readonly state: string }
}
