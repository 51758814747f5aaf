import { type Call, type FunctionMap, NO_FUNCTIONS } from '@posthaste/core'
import type { FastifyInstance } from 'fastify'
import type { AccepterOptions } from '../accepter-options.js'
import { addDoors, type DoorParts, type RefuseAtDoor } from './add-doors.js'
import type { DoorSetting } from './door-options.js'
import { DOORS } from './doors.js'
import { FunctionProxy } from './function-proxy.js'
import { type HouseParts, openHouse } from './house.js'
import { raw } from './raw.js'
import { Router } from './router.js'

const RAW_ALONE: DoorSetting = { name: raw.name, prefix: '' }
const noFunctions = (): FunctionMap => NO_FUNCTIONS
const asItIs = (call: Call): Call => call

type Needed = Pick<AccepterOptions, 'clock' | 'doors' | 'log' | 'onRefused'> &
  Pick<DoorParts, 'bodies' | 'gate'> &
  Pick<HouseParts, 'acceptance' | 'cancelling' | 'lookup'> & { readonly app: FastifyInstance }

/** Opens the doors that there are; where nothing is said, raw mode. */
export function openDoors({ app, doors, ...needed }: Needed): RefuseAtDoor {
  const { functions = noFunctions, doors: settings = [RAW_ALONE], shown = asItIs, tlsOf } = doors ?? {}
  const proxy = new FunctionProxy(needed.log, tlsOf)
  app.addHook('preClose', async () => proxy.stop())
  app.addHook('onClose', () => proxy.close())
  const house = openHouse({ ...needed, functions, proxy, shown })
  const router = new Router(DOORS, settings, functions)
  return addDoors(app, { ...needed, house, router })
}
