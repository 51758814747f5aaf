// npm test: prepare, lint, start brokers, run the tests. Arguments go to tap. The last line says `N passed, N failed`,
// counting assertions as tap does; a step that failed by itself (install, build, lint, a crash of tap) counts as one
// more failure. A broker that cannot be had counts so in CI; elsewhere its tests are skipped.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { audit } from './audit.mjs'
import { brokersForTests } from './brokers/for-tests.mjs'
import { prepare, root, run } from './prepare.mjs'

const report = join(root, '.tap', 'report.tap')
/** Its indent, name, what stands behind `#`, and the lines below it that are no result of their own. */
const NOT_OK = /^( *)not ok \d+(?: - )?(.*?)(?: # (.*))?\n((?: +(?! |(?:not )?ok ).*\n)*)/gm

try {
  await prepare()
  const lintFailed = run('biome', ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.']) !== 0
  if (lintFailed) console.log('the linter failed')
  const { known = [], unanswered } = process.env.CI ? audit() : {}
  const tests = await testWithBrokers(process.argv.slice(2))
  for (const line of known) console.log(`\nnot ok: a dependency: ${line}`)
  if (unanswered) console.log(`\nNOT AUDITED: ${unanswered}.`)
  finish({ ...tests, fail: tests.fail + (lintFailed ? 1 : 0) + known.length })
} catch (error) {
  console.error(error.message)
  finish({ pass: 0, fail: 1, skip: 0 })
}

async function testWithBrokers(args) {
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interruption.abort())
  const { env, untested, stop } = await brokersForTests(args.filter(isFile))
  try {
    const counts = await runAllTests(args, { env, signal: interruption.signal })
    for (const line of counts.failures) console.log(line)
    for (const line of untested) console.log(`\nNOT TESTED: ${line}`)
    return { ...counts, fail: counts.fail + (process.env.CI ? untested.length : 0) }
  } finally {
    await stop()
  }
}

// What crosses packages starts processes and measures time: it runs after the rest, a file at a time.
async function runAllTests(args, options) {
  if (args.some(isFile)) return runTests(args, options)
  const within = await runTests(['packages/*/dist/test/**/*.test.js', ...args], options)
  const across = await runTests(['test/dist/**/*.test.js', '--jobs=1', ...args], options)
  return {
    pass: within.pass + across.pass,
    fail: within.fail + across.fail,
    skip: within.skip + across.skip,
    failures: [...within.failures, ...across.failures],
  }
}

function isFile(arg) {
  return !arg.startsWith('-')
}

async function runTests(args, options) {
  rmSync(report, { force: true })
  const reporter = process.stdout.isTTY ? [] : ['--reporter=min'] // the one that is quiet in a log
  const code = await runTap([`--output-file=${report}`, ...reporter, ...args], options)
  const counts = readCounts()
  if (counts.pass + counts.fail === 0) console.log('no test was run')
  else if (code === 0 || counts.fail > 0) return counts
  else console.log(`tap ended with exit code ${code}`)
  return { ...counts, fail: 1 }
}

// Not as the other tools are run: brokers have to be stopped when a signal ends the run.
async function runTap(args, { env, signal }) {
  const tap = join(root, 'node_modules', '.bin', 'tap')
  const [code] = await once(spawn(tap, args, { cwd: root, env, signal, stdio: 'inherit' }), 'exit')
  return code
}

// tap closes its report with a line such as `# { total: 10, pass: 7, fail: 1, todo: 1, skip: 1 }`.
function readCounts() {
  const written = read(report)
  const summary = written.match(/^# \{ (total: .*) \}$/gm)?.at(-1) ?? ''
  const count = (name) => Number(summary.match(new RegExp(`\\b${name}: (\\d+)`))?.[1] ?? 0)
  return {
    pass: count('pass'),
    fail: count('fail'),
    skip: count('skip') + count('todo'),
    failures: readFailures(written),
  }
}

// What failed, by the names of the tests around it, with the place that tap gives below it. Said again at the end, where
// somebody who has only the tail of a log finds it. A test comes after what is in it, and fails if any of that did.
function readFailures(written) {
  const failures = []
  for (const [, indent, name, mark = '', detail] of written.matchAll(NOT_OK)) {
    if (mark.startsWith('TODO')) continue
    const depth = indent.length
    const within = failures.filter((failure) => failure.depth > depth)
    for (const failure of within) Object.assign(failure, { depth, text: `${name} > ${failure.text}` })
    if (within.length > 0) continue
    const [file, line] = [/fileName: (\S+)/, /lineNumber: (\d+)/].map((key) => detail.match(key)?.[1])
    failures.push({ depth, text: file ? `${name} (${file}:${line})` : name })
  }
  return failures.map(({ text }) => `not ok: ${text}`)
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // tap wrote no report
  }
}

function finish({ pass, fail, skip }) {
  console.log(`\n${pass} passed, ${fail} failed${skip > 0 ? `, ${skip} skipped` : ''}`)
  process.exitCode = fail > 0 ? 1 : 0
}
