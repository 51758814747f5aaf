import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MAIN, makeDirectory, start, startTarget } from './posthaste.js'

t.test('each command of the README that asks a process works', async (t) => {
  const { url } = await start(t, 'start')
  const target = await startTarget(t, (response) => response.end())
  const lines = linesOf('## Ask it').map((line) => line.replaceAll('http://127.0.0.1:8081', target.url))
  t.ok(lines.length > 5)
  const environment: Record<string, string> = { PATH: pathWithPosthaste(t), POSTHASTE_URL: url }
  for (const line of lines) {
    const { code, stderr, stdout } = await runShell(line, environment)
    t.strictSame([code, stderr], [0, ''], line)
    if (line.includes('--delay 1h')) environment.id = (JSON.parse(stdout) as { id: string }).id
  }
})

/** The lines of the first block of shell commands below a heading. */
function linesOf(heading: string): string[] {
  const readme = readFileSync(fileURLToPath(new URL('../../../../README.md', import.meta.url)), 'utf8')
  const [, section = ''] = readme.split(`\n${heading}\n`)
  const [, block = ''] = /```sh\n(.*?)```/s.exec(section) ?? []
  return block.trim().split('\n')
}

/** A PATH on which `posthaste` is what was built. */
function pathWithPosthaste(t: Test): string {
  const directory = makeDirectory(t)
  const command = join(directory, 'posthaste')
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`)
  chmodSync(command, 0o755)
  return `${directory}:${process.env.PATH}`
}

async function runShell(line: string, environment: Record<string, string>) {
  const child = spawn('sh', ['-c', line], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const [code] = (await once(child, 'close', { signal: AbortSignal.timeout(20_000) })) as [number]
  return { code, ...output }
}
