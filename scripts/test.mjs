// npm test: prepare, lint, run the tests. Arguments go to tap. The last line says `N passed, N failed`, counting
// assertions as tap does; a step that failed by itself (install, build, lint, a crash of tap) counts as one more failure.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { prepare, root, run } from './prepare.mjs'

const report = join(root, '.tap', 'report.tap')

try {
  await prepare()
  const lintFailed = run('biome', ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.']) !== 0
  if (lintFailed) console.log('the linter failed')
  const tests = runAllTests(process.argv.slice(2))
  finish({ ...tests, fail: tests.fail + (lintFailed ? 1 : 0) })
} catch (error) {
  console.error(error.message)
  finish({ pass: 0, fail: 1, skip: 0 })
}

// What crosses packages starts processes and measures time: it runs after the rest, a file at a time.
function runAllTests(args) {
  if (args.some((arg) => !arg.startsWith('-'))) return runTests(args)
  const within = runTests(['packages/*/dist/test/**/*.test.js', ...args])
  const across = runTests(['test/dist/**/*.test.js', '--jobs=1', ...args])
  return { pass: within.pass + across.pass, fail: within.fail + across.fail, skip: within.skip + across.skip }
}

function runTests(args) {
  rmSync(report, { force: true })
  const reporter = process.stdout.isTTY ? [] : ['--reporter=min'] // the one that is quiet in a log
  const code = run('tap', [`--output-file=${report}`, ...reporter, ...args])
  const counts = readCounts()
  if (counts.pass + counts.fail === 0) console.log('no test was run')
  else if (code === 0 || counts.fail > 0) return counts
  else console.log(`tap ended with exit code ${code}`)
  return { ...counts, fail: 1 }
}

// tap closes its report with a line such as `# { total: 10, pass: 7, fail: 1, todo: 1, skip: 1 }`.
function readCounts() {
  const summary =
    read(report)
      .match(/^# \{ (total: .*) \}$/gm)
      ?.at(-1) ?? ''
  const count = (name) => Number(summary.match(new RegExp(`\\b${name}: (\\d+)`))?.[1] ?? 0)
  return { pass: count('pass'), fail: count('fail'), skip: count('skip') + count('todo') }
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
