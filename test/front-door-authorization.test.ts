import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  InvokeAsyncCommand,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  LambdaServiceException,
} from '@aws-sdk/client-lambda'
import t, { type Test } from 'tap'
import { AlibabaClient, type Key, version2Client } from './harness/alibaba-clients.js'
import { curl } from './harness/command-line.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { FunctionProcess } from './harness/function-process.js'
import { FunctionsFile } from './harness/functions-file.js'
import { PosthasteProcess } from './harness/posthaste-process.js'

// Clients of other systems as they come, with their own credentials, against a Posthaste where tokens are configured.

const CHANGED = 'the tokens have changed'
const CHANGED_MS_MAX = 60_000
const [FIRST, SECOND, THIRD, ACME] = ['first', 'second', 'third', 'acme'].map((name) => ({
  id: `AKIA${name.toUpperCase()}`,
  secret: `a-secret-of-the-${name}-key`,
})) as [Key, Key, Key, Key]

const fn = await FunctionProcess.start(t)
const { dataDir } = createEmbedded(t)
const functions = new FunctionsFile(
  t,
  `functions: { resize: { url: ${fn.url}/resize, routes: [/square] }, other: { url: ${fn.url}/other } }`,
).path
const tokens = join(dataDir, 'tokens.json')
process.env.SECOND_SECRET = SECOND.secret
writeFileSync(join(dataDir, 'third'), `${THIRD.secret}\n`)
const [byValue, byName, byFile] = [
  FIRST,
  { id: SECOND.id, secret: { env: 'SECOND_SECRET' } },
  { id: THIRD.id, secret: { file: 'third' } },
]
const entry = { name: 'shop', scopes: ['invoke', 'read', 'control'], functions: ['resize'] }
/** Another tenant, who may have nothing called. */
const acme = { name: 'acme', tenant: 'acme', scopes: ['read', 'control'], accessKeys: [ACME] }
const write = (...accessKeys: object[]): void =>
  writeFileSync(tokens, JSON.stringify({ tokens: [{ ...entry, accessKeys }, acme] }))
write(byValue, byName)
const posthaste = await PosthasteProcess.start({ role: 'start', dataDir, settings: { functions, tokens } })
t.teardown(() => posthaste.stop())

function lambdaOf(t: Test, { id, secret }: Key, more: object = {}): LambdaClient {
  const credentials = { accessKeyId: id, secretAccessKey: secret }
  const common = { region: 'eu-central-1', endpoint: posthaste.url, maxAttempts: 1 }
  const lambda = new LambdaClient({ ...common, credentials, ...more })
  t.teardown(() => lambda.destroy())
  return lambda
}

async function invoke(by: LambdaClient, Payload: string, given: Partial<InvokeCommandInput> = {}) {
  const answer = await by.send(new InvokeCommand({ FunctionName: 'resize', Payload, ...given }))
  return { status: answer.StatusCode, payload: Buffer.from(answer.Payload ?? []).toString() }
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  const error = await asked.catch((thrown: unknown) => thrown)
  if (error instanceof LambdaServiceException) return `${error.$metadata.httpStatusCode} ${error.name}`
  throw new Error(`This was not refused: ${JSON.stringify(error)}`)
}

t.test('SDK of AWS: the right key lets in, by whatever it is used for', async (t) => {
  for (const key of [FIRST, SECOND]) {
    const lambda = lambdaOf(t, key)
    t.match(await invoke(lambda, '"now"'), { status: 200, payload: '"now"' })
    t.match(await invoke(lambda, `"${key.id}"`, { InvocationType: 'Event', ClientContext: 'e30=' }), { status: 202 })
    t.match(await invoke(lambda, '{}', { InvocationType: 'DryRun', Qualifier: '$LATEST' }), { status: 204 })
    const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:resize'
    t.match(await invoke(lambda, '"ä"', { FunctionName: arn }), { status: 200, payload: '"ä"' })
    const later = await lambda.send(new InvokeAsyncCommand({ FunctionName: 'resize', InvokeArgs: '"old"' }))
    t.equal(later.Status, 202)
    const { headers } = await fn.got(`"${key.id}"`)
    t.strictSame(
      Object.keys(headers).filter((name) => /^(x-amz-|authorization)/.test(name)),
      [],
      'the signature is for us',
    )
  }
})

t.test('SDK of AWS: a wrong secret, an unknown key, and what was signed long ago', async (t) => {
  const past = lambdaOf(t, FIRST, { systemClockOffset: -20 * 60_000 })
  for (const InvocationType of ['Event', 'RequestResponse', 'DryRun'] as const) {
    const ask = (key: Key, by = lambdaOf(t, key)) => refusal(invoke(by, '"refused"', { InvocationType }))
    t.equal(await ask({ ...FIRST, secret: SECOND.secret }), '403 InvalidSignatureException')
    t.equal(await ask({ ...FIRST, id: 'AKIANOBODY' }), '403 UnrecognizedClientException')
  }
  t.equal(await refusal(invoke(past, '"refused"')), '403 InvalidSignatureException')
  const patient = lambdaOf(t, FIRST, { systemClockOffset: -20 * 60_000, maxAttempts: 2 })
  t.match(await invoke(patient, '"right in the end"'), { status: 200 }, 'it sets its clock by the answer')
  const other = { FunctionName: 'other', InvocationType: 'Event' } as const
  t.equal(await refusal(invoke(lambdaOf(t, FIRST), '"refused"', other)), '403 AccessDeniedException')
  const unsigned = await fetch(`${posthaste.url}/2015-03-31/functions/resize/invocations`, { method: 'POST' })
  t.strictSame(
    [unsigned.status, unsigned.headers.get('x-amzn-errortype')],
    [403, 'MissingAuthenticationTokenException'],
  )
  t.strictSame(fn.with('"refused"'), [])
})

t.test('SDK of AWS: what it signs counts, however it is written', async (t) => {
  const lambda = lambdaOf(t, FIRST)
  lambda.middlewareStack.add(
    (next) => (args) => {
      const sent = args.request as Sent
      Object.assign(sent.query, { a: ['2', '1', ''], 'a-b': '', 'ü *': "x y+'()!" })
      Object.assign(sent.headers, { 'x-amz-spaces': '  a   b  ', 'x-empty': '' })
      return next(args)
    },
    { step: 'build' },
  )
  t.match(await invoke(lambda, '"odd"', { Qualifier: 'a b+c/ü' }), { status: 200, payload: '"odd"' })
  t.match(await invoke(lambda, '"odd"', { FunctionName: "resize:a!'()*~" }), { status: 200, payload: '"odd"' })
})

interface Sent {
  method: string
  path: string
  query: Record<string, string | string[]>
  headers: Record<string, string>
  body: unknown
}

t.test('SDK of AWS: what is altered after it was signed is refused', async (t) => {
  const altered = (alter: (sent: Sent) => void): LambdaClient => {
    const lambda = lambdaOf(t, FIRST)
    lambda.middlewareStack.add(
      (next) => (args) => {
        alter(args.request as Sent)
        return next(args)
      },
      { step: 'deserialize', priority: 'low' },
    )
    return lambda
  }
  const untouched = altered(() => {})
  t.match(await invoke(untouched, '"untouched"', { InvocationType: 'Event' }), { status: 202 })
  const invalid: Record<string, (sent: Sent) => void> = {
    body: (sent) => {
      sent.body = Buffer.from('"ALTERED"')
    },
    header: ({ headers }) => {
      headers['x-amz-invocation-type'] = 'RequestResponse'
    },
    path: (sent) => {
      sent.path = sent.path.replace('resize', 'other')
    },
    query: ({ query }) => {
      query.Qualifier = 'TEST'
    },
    date: ({ headers }) => {
      headers['x-amz-date'] = new Date(Date.now() + 60_000).toISOString().replace(/[-:]|\.\d+/g, '')
    },
  }
  for (const [what, alter] of Object.entries(invalid)) {
    const asked = invoke(altered(alter), '"altered"', { InvocationType: 'Event', Qualifier: 'PROD' })
    t.equal(await refusal(asked), '403 InvalidSignatureException', what)
  }
  const more = altered(({ headers }) => {
    headers['x-amz-client-context'] = 'e30='
  })
  t.equal(await refusal(invoke(more, '"altered"')), '403 IncompleteSignatureException')
  t.strictSame(
    fn.arrivals.filter(({ body }) => /altered/i.test(body)),
    [],
  )
})

t.test('curl signs as AWS wants it, at the API and at the URL of a function', async (t) => {
  const ask = async (path: string, { id, secret }: Key, ...args: string[]): Promise<number> => {
    const signed = ['--user', `${id}:${secret}`, '--aws-sigv4', 'aws:amz:eu-central-1:lambda']
    return (await curl(`${posthaste.url}${path}`, ...signed, ...args)).status
  }
  const event = ['-H', 'X-Amz-Invocation-Type: Event', '-d', '"curl"']
  const api = '/2015-03-31/functions/resize/invocations'
  t.equal(await ask(api, FIRST, ...event), 202)
  t.equal(await ask(api, { ...FIRST, secret: SECOND.secret }, ...event), 403)
  t.equal(await ask('/square/2', FIRST, '-H', 'InvocationType: Event', '-d', 'gateway'), 202)
  t.equal(await ask('/square/2', FIRST, '-d', 'at once'), 200)
  t.equal(await ask('/square/2', { ...FIRST, secret: SECOND.secret }, '-d', 'at once, wrong'), 403)
  t.match(await fn.got('gateway'), { path: '/resize/2' })
  t.strictSame([fn.with('at once').length, fn.with('at once, wrong').length], [1, 0])
})

t.test('SDKs of Alibaba: the right key lets in, and no other', async (t) => {
  const later = (task: string) => ({ xFcInvocationType: 'Async', xFcAsyncTaskId: task })
  const three = new AlibabaClient(posthaste.url, FIRST)
  t.match(await three.invoke('resize', '"three"'), { status: 200, body: '"three"' })
  t.match(await three.invoke('resize', '"three later"', later('three')), { status: 202 })
  t.match(await three.until('resize', 'three', 'Succeeded'), { taskId: 'three' })
  t.match(await three.list('resize', { prefix: 'th', includePayload: true }), { tasks: [{ taskId: 'three' }] })
  await t.rejects(three.stop('resize', 'three'), { code: 'AsyncTaskAlreadyCompleted' })
  await t.rejects(three.invoke('other', 'x'), { code: 'AccessDenied' })
  const two = version2Client(posthaste.url, SECOND)
  t.match(await two.invokeFunction('shop', 'resize', 'two'), { data: 'two' })
  const path = '/services/shop/functions/resize/stateful-async-invocations'
  t.match(await two.get(path, { limit: '5' }), { data: { invocations: Array } })
  t.match(await two.get(`${path}/three`), { data: { invocationId: 'three' } })
  await t.rejects(two.put(`${path}/three`), { code: 'StatefulAsyncInvocationAlreadyCompleted' })
  t.match(await two.post('/proxy/shop/resize/a%20b', 'proxied', {}, { c: 'd e', a: 'ü' }), { data: 'proxied' })
  t.match(await fn.got('proxied'), { path: '/resize/a%20b?c=d%20e&a=%C3%BC' })

  for (const [key, code] of [
    [{ ...FIRST, secret: SECOND.secret }, 'SignatureNotMatch'],
    [{ ...FIRST, id: 'LTAI' }, 'InvalidAccessKeyID'],
  ] as const) {
    await t.rejects(new AlibabaClient(posthaste.url, key).invoke('resize', 'refused'), { code })
    await t.rejects(new AlibabaClient(posthaste.url, key).list('resize'), { code })
    await t.rejects(version2Client(posthaste.url, key).invokeFunction('shop', 'resize', 'refused'), { code })
  }
  t.strictSame(fn.with('refused'), [])
})

t.test('SDKs: what the scope does not allow is refused, and what is of another tenant is not there', async (t) => {
  t.equal(await refusal(invoke(lambdaOf(t, ACME), '"refused"')), '403 AccessDeniedException')
  const three = new AlibabaClient(posthaste.url, ACME)
  await t.rejects(three.invoke('resize', '"refused"'), { code: 'AccessDenied' })
  t.strictSame((await three.list('resize')).tasks, [])
  await t.rejects(three.stop('resize', 'three'), { code: 'AsyncTaskNotFound' })
  const two = version2Client(posthaste.url, ACME)
  const path = '/services/shop/functions/resize/stateful-async-invocations'
  await t.rejects(two.get(`${path}/three`), { code: 'StatefulAsyncInvocationNotFound' })
  t.strictSame(fn.with('"refused"'), [])
})

t.test('keys are changed one after the other, while both count', async (t) => {
  const change = async (...keys: object[]): Promise<void> => {
    const count = () => posthaste.lines.filter(({ msg }) => msg === CHANGED).length
    const before = count()
    write(...keys)
    const untilMs = performance.now() + CHANGED_MS_MAX
    while (count() === before) {
      if (performance.now() > untilMs) throw new Error('The tokens were not read again.')
      await sleep(20)
    }
  }
  const dry = (key: Key) => invoke(lambdaOf(t, key), '{}', { InvocationType: 'DryRun' })
  t.equal(await refusal(dry(THIRD)), '403 UnrecognizedClientException')
  await change(byValue, byFile)
  for (const key of [FIRST, THIRD]) t.match(await dry(key), { status: 204 })
  await change(byFile)
  for (const key of [FIRST, SECOND]) t.equal(await refusal(dry(key)), '403 UnrecognizedClientException')
  const lines = JSON.stringify(posthaste.lines)
  t.notMatch(lines, /a-secret-of/, 'no secret is logged')
})
