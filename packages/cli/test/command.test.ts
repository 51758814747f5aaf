import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { environmentName, flagName, SETTING_KEYS, SETTINGS } from '@posthaste/server'
import t from 'tap'
import { makeDirectory, run, runProcess, spawnMain, start, startTarget, until } from './posthaste.js'

const COMMANDS = ['start', 'accepter', 'listener', 'cycle', 'view rebuild']

t.test('help names the commands, and for each every setting with its name and default', async (t) => {
  const { code, stdout } = await run(['--help'])
  t.equal(code, 0)
  t.equal((await run(['help'])).stdout, stdout)
  for (const name of COMMANDS) t.match(stdout, new RegExp(`^ +${name.split(' ')[0]} `, 'm'))
  for (const name of COMMANDS) {
    const help = await run([...name.split(' '), '--help'])
    t.equal(help.code, 0, name)
    t.equal(help.stderr, '')
    const text = help.stdout.replace(/\s+/g, ' ')
    t.match(text, '--config <file> JSON file with settings (POSTHASTE_CONFIG)')
    for (const key of SETTING_KEYS) {
      const { default: fallback, description, range } = SETTINGS[key]
      t.match(text, new RegExp(`--${flagName(key)} [<[]`), `${name} ${key}: the flag`)
      const notes = [
        environmentName(key),
        ...(range ? [range] : []),
        `default: ${fallback === '' ? 'none' : fallback}`,
      ].join('; ')
      t.ok(text.includes(`${description} (${notes})`), `${name} ${key}: what it is, the variable and the default`)
    }
    t.notMatch(text, '\\|', 'nothing is escaped for another format')
    t.equal((await run(['help', ...name.split(' ')])).stdout, help.stdout)
  }
})

t.test('what is not known is refused in plain words', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['start', '--prot', '1'], /unknown option '--prot'/],
    [['start', '--port'], /argument missing/],
    [['start', 'now'], /too many arguments/],
    [['stop'], /unknown command 'stop'/],
    [['help', 'stop'], /unknown command 'stop'/],
    [['help', 'view', 'stop'], /unknown command 'stop'/],
    [[], /Usage: posthaste/],
    [['view'], /Usage: posthaste view/],
  ]
  for (const [args, message] of wrong) {
    const { code, stderr, stdout } = await run(args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, message)
    t.equal(stdout, '')
    t.notMatch(stderr, / at .*\.js/)
  }
  t.match(await runProcess(t, ['stop']), { code: 2, stdout: '', stderr: /unknown command 'stop'/ })
})

t.test('a configuration that is not valid ends every command, with all that is wrong', async (t) => {
  for (const name of COMMANDS) {
    const { code, stderr, stdout } = await run([...name.split(' '), '--linger', 'soon'], { POSTHASTE_PROT: '1' })
    t.equal(code, 1, name)
    t.strictSame(stderr.trim().split('\n'), [
      'POSTHASTE_PROT: there is no such setting.',
      '--linger: "soon" is not valid: it is not a duration such as "10s".',
    ])
    t.equal(stdout, '')
  }
})

t.test('what the system refuses is said without a stack', async (t) => {
  const { url } = await startTarget(t)
  const file = join(makeDirectory(t), 'file')
  writeFileSync(file, '')
  const refused: [string[], RegExp][] = [
    [['--port', new URL(url).port], /EADDRINUSE/],
    [['--host', '192.0.2.1', '--insecure'], /EADDRNOTAVAIL/],
    [['--host', 'name.invalid', '--insecure'], /name\.invalid/],
    [['--data-dir', file], /EEXIST|ENOTDIR/],
    [['--data-dir', join(file, 'below')], /ENOTDIR/],
    [['--config', join(file, 'below')], /cannot be read/],
  ]
  for (const [args, message] of refused) {
    const { code, stderr } = await runProcess(t, ['start', '--data-dir', makeDirectory(t), ...args])
    t.equal(code, 1, args.join(' '))
    t.match(stderr, message)
    t.notMatch(stderr, /^ +at /m, args.join(' '))
  }
})

t.test('settings come from flags, the environment and a file', async (t) => {
  const file = join(makeDirectory(t), 'posthaste.json')
  writeFileSync(file, JSON.stringify({ concurrency: 9, linger: '9s', logLevel: 'error' }))
  // The last one is for those who ask.
  const environment = {
    POSTHASTE_CONFIG: file,
    POSTHASTE_LINGER: '8s',
    POSTHASTE_LOG_LEVEL: 'info',
    POSTHASTE_URL: 'http://127.0.0.1:1',
  }
  const { line } = await start(t, 'start', { environment, args: ['--batch-records', '7'] })
  t.match(line, { level: 'info', role: 'all', config: { concurrency: 9, linger: 8_000, batchRecords: 7 } })
  t.match(line.msg, /^posthaste listens on http:\/\/127\.0\.0\.1:\d+, on the embedded stream in /)
})

t.test('a signal lets calls end, and the command with 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const target = await startTarget(t)
    const { child, url, logged } = await start(t, 'start', { args: ['--stop-grace', '10s'] })
    await submit(url, target.url)
    await until(() => target.open.length === 1)
    child.kill(signal)
    await until(() => logged().some(({ msg }) => msg === 'stopping'))
    // That it does not end yet takes time to show.
    await sleep(50)
    t.equal(child.exitCode, null, 'it waits for the call')
    target.open[0]?.end()
    t.strictSame(await once(child, 'exit'), [0, null], signal)
    t.equal(target.open.length, 1)
    t.match(logged().at(-1), { msg: 'stopped' })
  }
})

t.test('a second signal ends it at once', async (t) => {
  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const target = await startTarget(t)
    const dataDir = makeDirectory(t)
    const { child, url, logged } = await start(t, 'start', { dataDir, args: ['--stop-grace', '1h'] })
    await submit(url, target.url)
    await until(() => target.open.length === 1)
    child.kill(first)
    await until(() => logged().some(({ msg }) => msg === 'stopping'))
    child.kill(second)
    t.strictSame(await once(child, 'exit'), [1, null], 'the call has an hour otherwise')
    await start(t, 'listener', { dataDir })
    await until(() => target.open.length === 2)
  }
})

t.test('each role has its part', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  t.equal(accepter.line.role, 'accepter')
  t.equal((await submit(accepter.url, target.url)).status, 202)
  // That it calls nothing takes time to show: a listener calls within milliseconds.
  await sleep(100)
  t.equal(target.open.length, 0)
  const listener = await start(t, 'listener', { dataDir })
  t.equal((await submit(listener.url, target.url)).status, 404)
  await until(() => target.open.length === 1)
})

t.test('a second listener stands by, and takes over', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const first = await start(t, 'start', { dataDir })
  await (await fetch(`${first.url}/cycle`)).text()
  const second = await start(t, 'start', { dataDir })
  const report = (await (await fetch(`${second.url}/cycle`)).json()) as object
  t.match(report, { drained: true, partitions: [{ owner: 'other', member: first.url }] })
  t.equal((await fetch(`${second.url}/readyz`)).status, 200)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  t.equal((await submit(second.url, target.url)).status, 202)
  await until(() => target.open.length === 1)
})

t.test('a cycle drains once, prints its report and ends', async (t) => {
  const target = await startTarget(t, (response) => response.end())
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  for (let count = 0; count < 5; count += 1) await submit(accepter.url, target.url)
  const { code, stderr, stdout } = await runProcess(t, ['cycle', '--data-dir', dataDir])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { drained: true, trigger: 'command', running: false, called: 5, succeeded: 5 })
  t.equal(target.open.length, 5)
})

t.test('a cycle beside a listener pings it', async (t) => {
  const target = await startTarget(t, (response) => response.end())
  const dataDir = makeDirectory(t)
  const { url } = await start(t, 'start', { dataDir, args: ['--schedule', 'off', '--linger', '1m'] })
  await (await fetch(`${url}/cycle`)).text()
  await submit(url, target.url)
  const { code, stdout } = await runProcess(t, ['cycle', '--data-dir', dataDir])
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { drained: true, trigger: 'ping', running: true, called: 1 })
})

t.test('a signal ends the wait for a listener that does not answer', async (t) => {
  const listener = await startTarget(t)
  const stream = join(makeDirectory(t), 'stream.mjs')
  writeFileSync(stream, ownedBy(listener.url))
  const pinging = spawnMain(t, ['cycle', '--stream', stream])
  await until(() => listener.open.length === 1)
  pinging.kill('SIGTERM')
  t.strictSame(await once(pinging, 'exit'), [1, null])
})

t.test('a cycle that is not drained ends with 1', async (t) => {
  const target = await startTarget(t)
  const dataDir = makeDirectory(t)
  const accepter = await start(t, 'accepter', { dataDir })
  await submit(accepter.url, target.url)
  const child = spawnMain(t, ['cycle', '--data-dir', dataDir, '--stop-grace', '10ms'])
  let stdout = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  await until(() => target.open.length === 1)
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'close'), [1, null])
  t.match(JSON.parse(stdout), { drained: false, called: 0 })
})

/** The module of a stream that another listener works on. */
function ownedBy(member: string): string {
  const consumer = `{ async progress() { return [{ owner: 'other', member: '${member}' }] }, async stop() {} }`
  return `export const openStream = () => ({
    supports: { members: 'stand-by' },
    async start() {},
    async consume() { return ${consumer} },
    async stop() {},
  })`
}

function submit(url: string, target: string): Promise<Response> {
  const body = JSON.stringify({ target })
  return fetch(`${url}/invocations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}
