import type { OpenBreaker } from '@posthaste/listener'
import t from 'tap'
import { ListenerMetrics } from '../src/metrics.js'

const START = 'posthaste_breaker_state{'

t.test('breakers are told while they are not closed, and those of very many targets together', async (t) => {
  const metrics = new ListenerMetrics()
  let breakers: OpenBreaker[] = []
  const told = async (): Promise<string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(START))
  metrics.watchBreakers(() => breakers)
  t.strictSame(await told(), [])
  const outageMs = 5_000
  breakers = [
    { origin: 'http://a', state: 'open', outageMs },
    { origin: 'http://b', state: 'half-open', outageMs },
  ]
  t.strictSame((await told()).sort(), [`${START}origin="http://a"} 2`, `${START}origin="http://b"} 1`])
  breakers = [{ origin: 'http://b', state: 'open', outageMs }]
  t.strictSame(await told(), [`${START}origin="http://b"} 2`])

  breakers = Array.from({ length: 150 }, (_, at) => {
    return { origin: `http://${at}`, state: at % 2 ? 'half-open' : 'open', outageMs }
  })
  const lines = await told()
  t.equal(lines.length, 99, 'of a hundred, two were told before')
  t.ok(lines.includes(`${START}origin="other"} 2`), 'of the rest the worst')
})
