import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  InvocationType,
  InvokeAsyncCommand,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  type LambdaClientConfig,
  LambdaServiceException,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { createToken, hashToken } from '@posthaste/core'
import t from 'tap'
import { Client } from './harness/client.js'
import { curl } from './harness/command-line.js'
import { Control } from './harness/control.js'
import { runBlocks } from './harness/doc-blocks.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'
import { untilShown } from './harness/until-shown.js'

// The SDK of AWS as it comes, and curl as AWS prints it, against a running Posthaste and a function that is a process.

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TRACE = /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Sampled=0$/
const LAMBDA = '/2015-03-31/functions'
/** As Lambda tries again. */
const RETRY = { maxAttempts: 3, initialDelay: '1m', factor: 2, maxDelay: '2m', jitter: 'none', maxAge: '6h' }
const { DryRun, Event, RequestResponse } = InvocationType

const fn = await FunctionProcess.start(t)
const told = new Map<string, { readonly headers: Record<string, unknown>; readonly body: string }>()
const receiver = await TargetServer.start(({ body, path }, { headers }) => {
  told.set(path, { headers, body })
  return {}
})
t.teardown(() => receiver.stop())
const { dataDir } = createEmbedded(t)
const failing = `url: ${fn.url}/status/500, retry: { maxAttempts: 2, initialDelay: 1ms }`
const functions = new FunctionsFile(
  t,
  `functions:
  resize: { url: ${fn.url}/resize, routes: [/images] }
  square: { url: ${fn.url}/square, routes: [/square] }
  partner: { url: ${fn.url}/partner, acceptStatus: 200, acceptBody: { taken: true, by: ['{method} {path}', '{constructor}'], n: 1 } }
  words: { url: ${fn.url}/words, acceptStatus: 200, acceptBody: 'taken as {id}' }
  failing: { ${failing} }
  recorded: { ${failing}, onFailure: ${receiver.url}/record }
  aged: { url: ${fn.url}/status/500, retry: { maxAge: 50s }, onFailure: ${receiver.url}/aged }
  letter: { ${failing}, onFailure: { url: ${receiver.url}/letter, format: event } }
  good: { url: ${fn.url}/good, onSuccess: ${receiver.url}/success, onFailure: ${receiver.url}/never }
  away: { url: http://127.0.0.1:1, retry: { maxAttempts: 1 }, onFailure: { url: ${receiver.url}/away, format: event } }
  small: { url: ${fn.url}/small, limits: { bodyBytes: 10 }, routes: [/small] }
  hidden: { url: ${fn.url}/hidden, doors: [openfaas] }
  none: { url: ${fn.url}/none, doors: [], routes: [/none] }
`,
).path
const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions } })
t.teardown(() => posthaste.stop())
const client = new Client({ timeoutMs: 60_000 })
t.teardown(() => client.close())
const control = new Control(client, posthaste.url)

/** As a program of AWS's customers has it, but for the endpoint. */
function lambdaAt(endpoint: string, more: LambdaClientConfig = {}): LambdaClient {
  const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' }
  return new LambdaClient({ region: 'eu-central-1', endpoint, credentials, ...more })
}

const lambda = lambdaAt(posthaste.url)
t.teardown(() => lambda.destroy())

async function invoke(FunctionName: string, given: Partial<InvokeCommandInput> = {}, by = lambda) {
  const { $metadata, Payload, ...answer } = await by.send(new InvokeCommand({ FunctionName, ...given }))
  return { ...answer, requestId: $metadata.requestId ?? '', payload: Buffer.from(Payload ?? []).toString() }
}

async function refused(asked: Promise<unknown>): Promise<LambdaServiceException> {
  const error = await asked.catch((thrown: unknown) => thrown)
  if (error instanceof LambdaServiceException) return error
  throw new Error(`This was not refused: ${JSON.stringify(error)}`)
}

t.test('SDK: Event is 202, and the function called later', async (t) => {
  const Payload = JSON.stringify({ event: 'ä', n: 12345678901234567890n.toString() })
  const answer = await invoke('resize', { InvocationType: Event, Payload, ClientContext: 'e30=' })
  t.match(answer, { StatusCode: 202, payload: '', requestId: ID })
  t.notOk(answer.FunctionError)
  const { headers, method, path } = await fn.got(Payload)
  t.strictSame([method, path], ['POST', '/resize'])
  t.match(headers, {
    'content-type': 'application/json',
    'x-amzn-requestid': answer.requestId,
    'x-amzn-trace-id': TRACE,
    'posthaste-id': answer.requestId,
  })
  const others = Object.keys(headers).filter((name) => /^(x-amz-|amz-|authorization)/.test(name))
  t.strictSame(others, [], 'neither the signature nor the context')
  const shown = await untilShown(control, answer.requestId, ({ state }) => state === 'succeeded')
  t.match(shown, { target: 'function://resize', instruction: { retry: RETRY } })
})

t.test('the answer has the headers of Lambda, and a trace that began goes on', async (t) => {
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
  const headers = { 'X-Amz-Invocation-Type': 'Event', 'X-Amzn-Trace-Id': trace }
  const answer = await client.request(`${posthaste.url}${LAMBDA}/resize/invocations`, 'POST', '"traced"', headers)
  t.match(answer, { status: 202, text: '', headers: { 'x-amzn-requestid': ID, 'x-amzn-trace-id': trace } })
  t.equal(answer.headers['x-amzn-remapped-content-length'], '0')
  t.equal((await fn.got('"traced"')).headers['x-amzn-trace-id'], trace)
})

t.test('SDK: RequestResponse is what the function answers', async (t) => {
  const payload = '{"now":[1,2,3]}'
  const parts = ['function:', '123456789012:', '123456789012:function:', 'eu-central-1:123456789012:function:']
  for (const name of ['resize', 'resize:PROD', 'resize:$LATEST', ...parts.map((part) => `${part}resize:1`)])
    t.match(await invoke(name, { Payload: payload }), { StatusCode: 200, ExecutedVersion: '$LATEST', payload }, name)
  const FunctionName = 'arn:aws:lambda:eu-central-1:123456789012:function:resize'
  const given = { InvocationType: RequestResponse, Qualifier: 'PROD', ClientContext: 'e30=', Payload: '"qualified"' }
  const answer = await invoke(FunctionName, given)
  t.match(answer, { StatusCode: 200, payload: '"qualified"', requestId: ID })
  t.notOk(answer.FunctionError)
  t.match(await fn.got('"qualified"'), {
    path: '/resize',
    headers: { 'x-amz-client-context': 'e30=', 'x-amzn-requestid': answer.requestId },
  })
  t.match(await invoke('resize'), { StatusCode: 200, payload: '' }, 'without a payload')
})

t.test('SDK: what fails is an error of the function', async (t) => {
  const failed = await invoke('failing', { Payload: '{"errorMessage":"no"}' })
  t.match(failed, { StatusCode: 200, FunctionError: 'Unhandled', payload: '{"errorMessage":"no"}' })
  const away = await invoke('away', { Payload: '{}' })
  t.match(away, { StatusCode: 200, FunctionError: 'Unhandled' })
  t.match(JSON.parse(away.payload), { errorType: 'function-failed', errorMessage: /cannot be reached/ })
})

t.test('SDK: DryRun calls nothing', async (t) => {
  t.match(await invoke('resize', { InvocationType: DryRun, Payload: '"dry"' }), { StatusCode: 204, payload: '' })
  // What would have been accepted before comes before.
  await invoke('resize', { InvocationType: Event, Payload: '"behind it"' })
  await fn.got('"behind it"')
  t.strictSame(fn.with('"dry"'), [])
  t.match(await refused(invoke('nothing', { InvocationType: DryRun })), { name: 'ResourceNotFoundException' })
})

t.test('SDK: InvokeAsync', async (t) => {
  const { $metadata, Status } = await lambda.send(
    new InvokeAsyncCommand({ FunctionName: 'resize', InvokeArgs: '{"old":true}' }),
  )
  t.strictSame([Status, $metadata.httpStatusCode], [202, 202])
  t.equal((await fn.got('{"old":true}')).headers['x-amzn-requestid'], $metadata.requestId)
})

t.test('SDK: errors are those of Lambda', async (t) => {
  for (const [name, given, status, type] of [
    ['nothing', {}, 404, 'ResourceNotFoundException'],
    ['nothing', { InvocationType: Event }, 404, 'ResourceNotFoundException'],
    ['hidden', { InvocationType: Event }, 404, 'ResourceNotFoundException'],
    ['resize', { InvocationType: Event, Payload: '{"a":' }, 400, 'InvalidRequestContentException'],
    ['resize', { Payload: Uint8Array.of(0x22, 0xff, 0x22) }, 400, 'InvalidRequestContentException'],
    ['small', { InvocationType: Event, Payload: '"0123456789"' }, 413, 'RequestTooLargeException'],
    ['small', { Payload: '"0123456789"' }, 413, 'RequestTooLargeException'],
    ['resize', { InvocationType: 'Later' as 'Event' }, 400, 'InvalidParameterValueException'],
    ['resize', { ClientContext: 'x'.repeat(3_584) }, 400, 'InvalidParameterValueException'],
  ] as const) {
    const error = await refused(invoke(name, given))
    const found = [error.name, error.$metadata.httpStatusCode, error.$fault]
    t.strictSame(found, [type, status, 'client'], `${name} ${JSON.stringify(given).slice(0, 60)}`)
    t.match(error, { Type: 'User', message: /\w/ })
  }
  const old = new InvokeAsyncCommand({ FunctionName: 'nothing', InvokeArgs: '{}' })
  t.match(await refused(lambda.send(old)), { name: 'ResourceNotFoundException' })
  const once = { 'X-Amz-Invocation-Type': 'Event', 'Idempotency-Key': 'once' }
  const [taken, reused] = [
    await client.request(`${posthaste.url}${LAMBDA}/resize/invocations`, 'POST', '1', once),
    await client.request(`${posthaste.url}${LAMBDA}/resize/invocations`, 'POST', '2', once),
  ]
  t.equal(taken.status, 202)
  t.match(reused, { status: 400, headers: { 'x-amzn-errortype': 'InvalidParameterValueException' } })
  const other = await refused(lambda.send(new ListFunctionsCommand({})))
  t.match(other, { name: 'UnknownOperationException', message: /Invoke/, $metadata: { httpStatusCode: 404 } })
})

t.test('SDK: beneath a prefix, with tokens', async (t) => {
  const directory = createEmbedded(t).dataDir
  const token = createToken()
  const entry = { name: 'a', sha256: hashToken(token).toString('hex'), scopes: ['invoke'], functions: ['res*'] }
  const tokens = join(directory, 'tokens.json')
  writeFileSync(tokens, JSON.stringify({ tokens: [{ ...entry, requestsPerSecond: 0.001, burst: 5 }] }))
  const settings = { functions, tokens, doors: 'aws=/lambda' }
  const guarded = await PosthasteProcess.start({ role: 'start', dataDir: directory, settings })
  t.teardown(() => guarded.stop())
  const shows = (shown: string): LambdaClient => {
    // Of too many requests the SDK would try each again after some seconds.
    const by = lambdaAt(`${guarded.url}/lambda`, { maxAttempts: 1 })
    t.teardown(() => by.destroy())
    by.middlewareStack.add(
      (next) => (args) => {
        Object.assign((args.request as { headers: object }).headers, { authorization: `Bearer ${shown}` })
        return next(args)
      },
      { step: 'deserialize' },
    )
    return by
  }
  const by = shows(token)
  t.match(await invoke('resize', { Payload: '"guarded"' }, by), { StatusCode: 200, payload: '"guarded"' })
  t.notOk((await fn.got('"guarded"')).headers.authorization, 'the token is for us')
  t.match(await invoke('resize', { InvocationType: DryRun }, by), { StatusCode: 204 })
  for (const InvocationType of [Event, DryRun, RequestResponse]) {
    const error = await refused(invoke('square', { InvocationType, Payload: '{}' }, by))
    t.match(error, { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } })
  }
  const often = await refused(invoke('resize', { InvocationType: Event }, by))
  t.match(often, { name: 'TooManyRequestsException', $metadata: { httpStatusCode: 429 }, retryAfterSeconds: /^\d+$/ })
  const unknown = await refused(invoke('resize', {}, shows(createToken())))
  t.match(unknown, { name: 'UnrecognizedClientException', $metadata: { httpStatusCode: 403 } })
})

t.test('destinations get the records and dead letters of Lambda', async (t) => {
  const ids = new Map<string, string>()
  for (const name of ['good', 'recorded', 'aged', 'letter', 'away'])
    ids.set(name, (await invoke(name, { InvocationType: Event, Payload: `{"for":"${name}"}` })).requestId)
  await receiver.until(() => told.size === ids.size, 60_000)
  t.strictSame([...told.keys()].sort(), ['/aged', '/away', '/letter', '/record', '/success'])
  const recordAt = (path: string): unknown => JSON.parse(told.get(path)?.body ?? '')
  t.match(recordAt('/success'), {
    version: '1.0',
    timestamp: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    requestContext: {
      ...{ requestId: ids.get('good'), functionArn: 'function://good' },
      ...{ condition: 'Success', approximateInvokeCount: 1 },
    },
    requestPayload: { for: 'good' },
    responseContext: { statusCode: 200, executedVersion: '$LATEST' },
    responsePayload: { for: 'good' },
  })
  t.match(recordAt('/record'), {
    requestContext: {
      ...{ requestId: ids.get('recorded'), condition: 'RetriesExhausted', approximateInvokeCount: 2 },
    },
    requestPayload: { for: 'recorded' },
    responseContext: { statusCode: 500, functionError: 'Unhandled' },
    responsePayload: { for: 'recorded' },
  })
  t.match(recordAt('/aged'), { requestContext: { condition: 'EventAgeExceeded', approximateInvokeCount: 1 } })
  const letter = told.get('/letter')
  t.equal(letter?.body, '{"for":"letter"}', 'the raw event')
  t.match(letter?.headers, {
    ...{ 'content-type': 'application/json', requestid: ids.get('letter') },
    ...{ errorcode: '500', errormessage: /500/ },
  })
  t.match(told.get('/away'), {
    body: '{"for":"away"}',
    headers: { requestid: ids.get('away'), errorcode: '503', errormessage: /\w/ },
  })
})

t.test('API Gateway: any method, later where a header says so', async (t) => {
  const { url } = posthaste
  const later = await curl('-X', 'GET', `${url}/square/2?a=b`, '-H', 'InvocationType:Event', '-H', 'X-Mine: 1')
  const id = later.headers['x-amzn-requestid'] as string
  t.match(later, { status: 202, headers: { 'content-type': 'application/json', 'x-amzn-requestid': ID } })
  t.strictSame(JSON.parse(later.body), {
    api_request_id: id,
    api_resource_path: '/square/2',
    http_method: 'GET',
    source_ip: '127.0.0.1',
    asynchronous_invocation: 'true',
    message: 'Event received. Check queue/logs for status',
  })
  const shown = await untilShown(control, id, ({ state }) => state === 'succeeded')
  t.match(shown, { method: 'GET', target: 'function://square/2?a=b', instruction: { retry: RETRY } })
  const came = await fn.found('/square', ({ path }) => path.startsWith('/square'))
  t.match(came, { method: 'GET', path: '/square/2?a=b', headers: { 'x-mine': '1' } })
  t.notOk(came.headers.invocationtype)

  t.match(await curl('-X', 'PUT', `${url}/square/3`, '-d', 'now'), {
    status: 200,
    headers: { 'x-from': 'function' },
    body: 'now',
  })
  t.match(await curl('-X', 'DELETE', `${url}/function/square/4`, '-H', 'InvocationType:Event'), { status: 202 })
  const partner = await curl(`${url}/function/partner/x`, '-d', 'p', '-H', 'InvocationType:Event')
  t.match(partner, { status: 200, headers: { 'content-type': 'application/json' } })
  t.strictSame(JSON.parse(partner.body), { taken: true, by: ['POST /function/partner/x', '{constructor}'], n: 1 })
  const words = await curl(`${url}/function/words`, '-d', 'w', '-H', 'InvocationType:Event')
  t.match(words, {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: /^taken as [0-9a-f-]{36}$/,
  })
})

t.test('API Gateway: errors are in its form', async (t) => {
  const event = ['-H', 'InvocationType:Event']
  for (const [path, args, status, type] of [
    ['/function/nothing', [], 404, 'NotFoundException'],
    ['/none', [], 404, 'NotFoundException'],
    ['/small', ['-d', '01234567890'], 413, 'RequestTooLargeException'],
    ['/square', ['-d', 'x', '-H', 'Idempotency-Key: "'], 400, 'BadRequestException'],
  ] as const) {
    const { body, headers, status: found } = await curl(`${posthaste.url}${path}`, ...args, ...event)
    t.strictSame([found, headers['x-amzn-errortype']], [status, type])
    t.strictSame(Object.keys(JSON.parse(body)), ['message'])
  }
})

t.test('what docs/front-doors.md shows of it is true', async (t) => {
  runBlocks(t, 'AWS Lambda and API Gateway', posthaste.url, ['sh', 'js', 'sh'])
})
