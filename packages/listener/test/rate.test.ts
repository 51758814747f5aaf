import t from 'tap'
import { finalStates, startListener, startTarget, submit, until } from './setting.js'

t.test('a target gets its calls at its rate, and what has no turn soon waits for it elsewhere', async (t) => {
  const [rate, burst, count] = [20, 5, 100]
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { ratePerTarget: rate, burstPerTarget: burst })
  await submit(stream, Array(count).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await finalStates(stream, count)
  t.equal(target.seen.length, count, 'each was called once')
  const times = target.seen.map(({ atMs }) => atMs)
  const tookMs = (times.at(-1) as number) - (times[0] as number)
  t.ok(tookMs >= ((count - burst) / rate) * 1_000 - 250, `${count} calls in ${tookMs} ms`)
  // They come a little after they begin, so that some may come closer together than they began.
  const halves = times.map((fromMs) => times.filter((ms) => ms >= fromMs && ms < fromMs + 500).length)
  const most = burst + rate / 2
  t.ok(Math.max(...halves) <= most + 5, `${Math.max(...halves)} in half a second, of ${most}`)
  const { parked, spilled } = await listener.report()
  // Two seconds' worth may wait here; of what else there is, some lose their turn to another.
  t.ok(spilled >= count - burst - 2 * rate - 1 && spilled <= 2 * count, `${spilled} were moved aside`)
  t.equal(parked, 0)
})

t.test('what waits for its turn does not hold up others', async (t) => {
  const [limited, other] = [await startTarget(t), await startTarget(t)]
  const { listener, stream } = await startListener(t, { ratePerTarget: 100, burstPerTarget: 100 })
  await submit(stream, Array(5_000).fill({ target: limited.url }))
  await submit(stream, Array(100).fill({ target: other.url }))
  await listener.ping('ping', 0)
  const startedMs = performance.now()
  await until(() => other.seen.length === 100)
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < 5_000, `100 calls, of another, in ${Math.round(tookMs)} ms`)
  t.ok(limited.seen.length <= 100 + (tookMs / 1_000) * 100 + 20, `${limited.seen.length} calls of the one`)
})

t.test('without a rate there is none', async (t) => {
  const target = await startTarget(t)
  const { listener, stream } = await startListener(t, { ratePerTarget: 0, burstPerTarget: 1 })
  await submit(stream, Array(500).fill({ target: target.url }))
  await listener.ping('ping', 0)
  await finalStates(stream, 500)
  t.equal((await listener.report()).spilled, 0)
})
