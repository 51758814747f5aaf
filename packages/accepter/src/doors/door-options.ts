import type { Call, FunctionMap } from '@posthaste/core'
import type { TlsOf } from './function-proxy.js'

/** How doors are set up. */
export interface DoorOptions {
  /** The functions that there are now: another map after each change of their file. */
  readonly functions: () => FunctionMap
  /** Which doors there are, in the order in which they are asked. */
  readonly doors: readonly DoorSetting[]
  /** How TLS is spoken with an origin, where a function is called at once; as usual if left out. */
  readonly tlsOf?: TlsOf
  /** A call as it may be shown: fields of its body may be blanked. As it is if left out. */
  readonly shown?: (call: Call) => Call
}

export interface DoorSetting {
  readonly name: string
  /** What their paths begin with: nothing, or `/prefix`. */
  readonly prefix: string
}
