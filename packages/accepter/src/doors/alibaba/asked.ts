import { type NamedFunction, PosthasteError } from '@posthaste/core'
import type { Entrance } from '../entrance.js'
import type { House } from '../house.js'

/** The name of the door. */
export const ALIBABA = 'alibaba'

/** What is asked of a function. */
export interface Asked {
  readonly entrance: Entrance
  readonly house: House
  readonly fn: NamedFunction
  /** Of the path, still encoded. */
  readonly groups: Partial<Readonly<Record<'service' | 'name' | 'id' | 'rest', string>>>
}

/** A function of a service is `SERVICE.FUNCTION` here, or else `FUNCTION`; all its versions are one. */
export function functionFor(house: House, { name = '', service }: Readonly<Record<string, string>>): NamedFunction {
  const own = decodeURIComponent(name)
  if (service === undefined) return house.functionFor(own, ALIBABA)
  try {
    return house.functionFor(`${serviceName(service)}.${own}`, ALIBABA)
  } catch {
    return house.functionFor(own, ALIBABA)
  }
}

/** Without the version or the alias behind it. */
export function serviceName(service: string): string {
  return decodeURIComponent(service).replace(/\..*$/, '')
}

/** Under which the id of a task is claimed. No client's key has a line break. */
export function taskKey({ fn }: Asked, taskId: string): string {
  return ['fc', fn.name, taskId].join('\n')
}

export function invalid(detail: string): PosthasteError {
  return new PosthasteError('invalid-field', detail)
}
