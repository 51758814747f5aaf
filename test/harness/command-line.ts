import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

const RUN_MS_MAX = 90_000

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, with that on its standard input. */
export async function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(program, args, { timeout: RUN_MS_MAX })
  child.stdin.on('error', () => {}).end(input)
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code: code ?? -1, stdout, stderr }
}

export interface CurlAnswer {
  readonly status: number
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the real curl gets for these arguments. */
export async function curl(...args: readonly string[]): Promise<CurlAnswer> {
  const { code, stderr, stdout } = await run('curl', ['-sS', '-i', ...args])
  if (code !== 0) throw new Error(`curl: ${stderr}`)
  // What came before, such as 100 Continue, is not the answer.
  const parts = stdout.split('\r\n\r\n')
  const at = parts.findLastIndex((part) => /^HTTP\/1\.1 [2-5]/.test(part))
  const [first = '', ...lines] = (parts[at] as string).split('\r\n')
  const headers = lines
    .map((line) => line.split(/:\s*(.*)/s))
    .map(([name = '', value = '']) => [name.toLowerCase(), value])
  return {
    status: Number(first.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: parts.slice(at + 1).join('\r\n\r\n'),
  }
}
