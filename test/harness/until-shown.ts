import { setTimeout as sleep } from 'node:timers/promises'
import type { Control, Shown } from './control.js'

const LOOK_MS = 20

/** Resolves with an invocation once it is shown as `condition` says. @throws Error with what is shown, if it takes too long */
export async function untilShown(
  control: Control,
  id: string,
  condition: (shown: Shown) => boolean,
  timeoutMs = 60_000,
): Promise<Shown> {
  for (const untilMs = performance.now() + timeoutMs; ; await sleep(LOOK_MS)) {
    const { json, status, text } = await control.get(id)
    if (status === 200 && condition(json as Shown)) return json as Shown
    if (performance.now() > untilMs) throw new Error(`It is not shown as awaited: ${text}`)
  }
}
