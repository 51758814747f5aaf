import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { makeDirectory, run, start, startTarget, until } from './posthaste.js'

t.test('each command of the README that asks a process works', (t) => runAll(t, 'README.md', '## Ask it', '--delay 1h'))

t.test('each command of docs/schedules.md does', (t) =>
  runAll(t, 'docs/schedules.md', '## From the command line', '--cron'),
)

t.test('each command of docs/functions.md does', async (t) => {
  const target = await startTarget(t, (response) => response.end('done'))
  const cwd = makeDirectory(t)
  const file = join(cwd, 'functions.yaml')
  const [[making = ''] = [], asking = []] = shellBlocks(read('docs/functions.md'))
  await promisify(execFile)('sh', ['-ec', making.replace('http://127.0.0.1:8081', target.url)], { cwd })
  const { url } = await start(t, 'start', { args: ['--functions', file] })
  const asked = asking.join('\n').replaceAll('http://127.0.0.1:8080', url)
  t.match((await promisify(execFile)('sh', ['-ec', asked])).stdout, /^doneHTTP\/1\.1 202 /)
  const lines = linesOf('docs/functions.md', '## From the command line')
  t.ok(lines.length > 2)
  for (const line of lines) {
    const { code, stderr } = await run(await argumentsOf(line.replace('functions.yaml', file), ''), {
      POSTHASTE_URL: url,
    })
    t.strictSame([code, stderr], [0, ''], line)
  }
  await until(() => target.open.length >= 2)
})

/** Runs the commands of a document. What the one with `words` shows is `$id` to those behind it. */
async function runAll(t: Test, file: string, heading: string, words: string): Promise<void> {
  const { url } = await start(t, 'start')
  const target = await startTarget(t, (response) => response.end())
  const lines = linesOf(file, heading).map((line) => line.replaceAll('http://127.0.0.1:8081', target.url))
  t.ok(lines.length > 5)
  let id = ''
  for (const line of lines) {
    const { code, stderr, stdout } = await run(await argumentsOf(line, id), { POSTHASTE_URL: url })
    t.strictSame([code, stderr], [0, ''], line)
    if (line.includes(words) && id === '') id = (JSON.parse(stdout) as { id: string }).id
  }
}

/** The lines of the first block of shell commands below a heading. */
function linesOf(file: string, heading: string): string[] {
  const [, section = ''] = read(file).split(`\n${heading}\n`)
  return shellBlocks(section)[0] ?? []
}

function read(file: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../../${file}`, import.meta.url)), 'utf8')
}

/** The lines of each. */
function shellBlocks(text: string): string[][] {
  return [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block.trim().split('\n'))
}

/** What `posthaste` gets of a command line, as a shell reads it. */
async function argumentsOf(line: string, id: string): Promise<string[]> {
  const posthaste = `posthaste() { printf '%s\\0' "$@"; }`
  const { stdout } = await promisify(execFile)('sh', ['-ec', `${posthaste}\n${line}`], { env: { id } })
  return stdout.split('\0').slice(0, -1)
}
