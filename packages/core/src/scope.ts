/**
 * What a caller of the API may do.
 * - `invoke`: have calls made, at once, later or by a schedule.
 * - `read`: see invocations and schedules.
 * - `control`: cancel, move and redrive invocations; pause, resume and delete schedules.
 * - `operate`: look after the process: `/cycle`, `/metrics`, `/stats`. Not for a tenant: these tell of all of them.
 */
export const SCOPES = ['invoke', 'read', 'control', 'operate'] as const

export type Scope = (typeof SCOPES)[number]

export function isScope(word: string): word is Scope {
  return (SCOPES as readonly string[]).includes(word)
}

/** What a tenant may be called. */
export const TENANT_PATTERN = '^[A-Za-z0-9._:@-]{1,64}$'
