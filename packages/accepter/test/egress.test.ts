import { EgressPolicy, ERRORS, systemClock } from '@posthaste/core'
import t from 'tap'
import { Accepter } from '../src/index.js'
import { JSON_TYPE, Notebook, post, silent, startAccepter } from './setting.js'

const BAD = 'http://[::ffff:169.254.169.254]/latest'
const GOOD = 'https://a.example.com/'

/** Each place of an instruction where a URL can stand. */
const PLACES: Record<string, object> = {
  '/target': { target: BAD },
  '/forwardTo': { target: GOOD, forwardTo: BAD },
  '/onSuccess': { target: GOOD, onSuccess: BAD },
  '/onFailure': { target: GOOD, onFailure: { url: BAD, format: 'cloudevents' } },
}

t.test('what may not be called is refused wherever it stands, if nobody says what may be', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook, egress: new EgressPolicy() })
  for (const [pointer, instruction] of Object.entries(PLACES)) {
    for (const [path, body, under] of [
      ['/invocations', instruction, ''],
      ['/schedules', { instruction, every: '1h' }, '/instruction'],
    ] as const) {
      const response = await ask(url, path, body)
      t.equal(response.status, 422, `${path} ${pointer}`)
      const problem = await response.text()
      t.match(JSON.parse(problem), { code: 'target-refused', errors: [{ pointer: under + pointer }] })
      t.notMatch(problem, /169|link|metadata|private/i, 'it does not say why')
    }
  }
  t.equal(notebook.appends.length, 0, 'nothing is written')
})

t.test('of a batch only those are refused that name it', async (t) => {
  const notebook = new Notebook()
  const { url } = await startAccepter(t, { invocations: notebook, egress: new EgressPolicy() })
  const invocations = [{ target: GOOD }, ...Object.values(PLACES)]
  const response = await ask(url, '/invocations/batch', { invocations })
  const { results } = (await response.json()) as { results: unknown[] }
  t.match(results, [
    { status: 202 },
    ...Object.keys(PLACES).map((pointer) => ({ status: 422, problem: { errors: [{ pointer }] } })),
  ])
  t.equal(results.length, 5)
  t.equal(notebook.appends.flat().length, 1)
})

t.test('an accepter that is told nothing takes what is public alone', async (t) => {
  const accepter = new Accepter({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silent,
    connectionsMax: 10,
    readiness: async () => ({ ready: true, reasons: [] }),
    invocations: new Notebook(),
  })
  t.teardown(() => accepter.stop())
  const url = await accepter.start()
  t.equal((await post(url, { target: GOOD })).status, 202)
  t.equal((await post(url, { target: 'http://127.0.0.1:8080/' })).status, ERRORS['target-refused'].status)
})

t.test('a policy of its own', async (t) => {
  const egress = new EgressPolicy({ allowTargets: ['https://*.example.com'], denyTargets: ['https://b.example.com'] })
  const { url } = await startAccepter(t, { egress })
  t.equal((await post(url, { target: GOOD })).status, 202)
  for (const target of [
    'https://b.example.com/',
    'https://B.EXAMPLE.com:443/',
    'https://b.example.com./',
    'http://a.example.com',
  ])
    t.equal((await post(url, { target })).status, 422, target)
})

function ask(url: string, path: string, body: object): Promise<Response> {
  return fetch(url + path, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) })
}
