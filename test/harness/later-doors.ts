/** A way to have a function of the same name called later, and its end told to `TOLD/NAME`. */
export interface LaterDoor {
  readonly name: string
  /** What to POST to: with its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Where the answer says what the call is called. */
  readonly idHeader: string
  /** What the functions file says besides its URL, where no request can say who is told. */
  readonly fn: Readonly<Record<string, unknown>>
}

const EVENT = { 'x-amz-invocation-type': 'Event' }
const ASYNC = { 'x-fc-invocation-type': 'Async' }

type Row = readonly [path: string, idHeader: string, headers: LaterDoor['headers'], fn?: LaterDoor['fn']]

/** Every door that calls functions later, in every way that it has one called. `toldUrl` is without a slash at its end. */
export function laterDoors(toldUrl: string): LaterDoor[] {
  const callback = (name: string) => ({ 'x-callback-url': `${toldUrl}/${name}` })
  const options = new URLSearchParams({ to: 'function://raw', forwardTo: `${toldUrl}/raw` })
  const doors: Record<string, Row> = {
    openfaas: ['/async-function/openfaas', 'x-call-id', callback('openfaas'), {}],
    boltic: ['/function/boltic/async', 'x-request-id', callback('boltic'), {}],
    aws: ['/2015-03-31/functions/aws/invocations', 'x-amzn-requestid', EVENT, { onSuccess: `${toldUrl}/aws` }],
    gateway: ['/function/gateway', 'x-amzn-requestid', { invocationtype: 'Event' }],
    'alibaba-fc3': ['/2023-03-30/functions/alibaba-fc3/invocations', 'x-fc-request-id', ASYNC],
    'alibaba-fc2': ['/2021-04-06/services/s/functions/alibaba-fc2/invocations', 'x-fc-request-id', ASYNC],
    'alibaba-http': ['/function/alibaba-http', 'x-fc-request-id', ASYNC],
    prefer: ['/function/prefer', 'location', { prefer: 'respond-async' }],
    raw: [`/call?${options}`, 'location', {}, {}],
  }
  return Object.entries(doors).map(([name, row]) => {
    const [path, idHeader, headers, fn = { forwardTo: `${toldUrl}/${name}` }] = row
    return { name, path, idHeader, headers, fn }
  })
}

/** The functions file for them, which is JSON and so YAML too. */
export function laterFunctions(doors: readonly LaterDoor[], functionUrl: string, timeoutMs: number): string {
  const functions = doors.map(({ fn, name }) => [name, { url: functionUrl, timeout: `${timeoutMs}ms`, ...fn }])
  return JSON.stringify({ functions: Object.fromEntries(functions) })
}
