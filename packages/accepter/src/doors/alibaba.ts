import { ALIBABA, type Asked, functionFor } from './alibaba/asked.js'
import { fail, refusal } from './alibaba/errors.js'
import { invoke, isMarked, trigger } from './alibaba/invocations.js'
import { listTasks, showTask, stopTask } from './alibaba/tasks.js'
import type { Door, DoorAnswer, DoorPath, Streamed } from './door.js'
import type { Entrance } from './entrance.js'
import { METHODS } from './router.js'
import { acsSignature } from './signatures/acs-signature.js'
import { fcSignature } from './signatures/fc-signature.js'

/** A function of version 3 has its name alone, one of version 2 that of its service besides. */
const V3 = '/2023-03-30/functions/(?<name>[^/]+)'
const V2 = '/20(?:16-08-15|21-04-06)/services/(?<service>[^/]+)/functions/(?<name>[^/]+)'
const V3_TASK = `${V3}/async-tasks/(?<id>[^/]+)`
const V2_TASK = `${V2}/stateful-async-invocations/(?<id>[^/]+)`

/** Alibaba's Function Compute, in both versions: invocations, HTTP triggers, and asynchronous tasks. */
export const alibaba: Door = {
  name: ALIBABA,
  firstParts: ['2023-03-30', '2021-04-06', '2016-08-15'],
  heeds: ['invocation-type', 'async-task-id', 'stateful-async-invocation-id', 'async-delay'].map(
    (name) => `x-fc-${name}`,
  ),
  paths: [
    ...at([`${V3}/invocations`, `${V2}/invocations`], ['POST'], 'invoke', invoke),
    ...at([`${V3}/async-tasks`, `${V2}/stateful-async-invocations`], ['GET'], 'read', listTasks),
    ...at([V3_TASK, V2_TASK], ['GET'], 'read', showTask),
    ...at([`${V3_TASK}/stop`, V2_TASK], ['PUT'], 'control', stopTask),
    ...at(['/2016-08-15/proxy/(?<service>[^/]+)/(?<name>[^/]+)(?<rest>/.*)?'], METHODS, 'invoke', trigger),
    { pattern: /^\/(2023-03-30|2021-04-06|2016-08-15)(\/|$)/, methods: METHODS, scope: 'read', handle: refuse },
  ],
  atFunctions: {
    isMeant: isMarked,
    handle: (entrance, house, { fn, rest }) => trigger({ entrance, house, fn, groups: { rest } }),
  },
  signatures: [acsSignature, fcSignature],
  fail,
}

function at(
  patterns: readonly string[],
  methods: DoorPath['methods'],
  scope: DoorPath['scope'],
  handle: (asked: Asked) => Promise<DoorAnswer | Streamed>,
): DoorPath[] {
  return patterns.map((pattern) => ({
    pattern: new RegExp(`^${pattern}$`),
    methods,
    scope,
    handle: async (entrance, house, groups) => handle({ entrance, house, fn: functionFor(house, groups), groups }),
  }))
}

/** What else the system has is not here. */
async function refuse({ path, request }: Entrance): Promise<DoorAnswer> {
  return refusal(path, 400, 'PathNotSupported', `'${request.method}' against '${path}' is not supported`)
}
