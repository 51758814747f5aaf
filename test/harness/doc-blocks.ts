import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const RUN_MS_MAX = 90_000
/** Where documents say that Posthaste is, and who is told by it. */
const SHOWN_HOST = '127.0.0.1:8080'
const SHOWN_RECEIVER = '127.0.0.1:8081'
/** Modules are looked for from there. */
const FOLDER = fileURLToPath(new URL('../..', import.meta.url))

export interface BlockOptions {
  /** Who is told, where that is shown. */
  readonly receiverUrl?: string
  /** Where programs are besides. */
  readonly programs?: string
}

/** Runs what a section of `docs/front-doors.md` shows, `sh` and `js`, against a process, and compares what that prints. */
export function runBlocks(
  t: Test,
  heading: string,
  url: string,
  languages: readonly string[],
  { programs = '', receiverUrl = url }: BlockOptions = {},
): void {
  const document = readFileSync(fileURLToPath(new URL('../../../docs/front-doors.md', import.meta.url)), 'utf8')
  const [section = ''] = document.split(`\n## ${heading}\n`)[1]?.split('\n## ') ?? []
  const blocks = [...section.matchAll(/^```(sh|js)\n([\s\S]*?)^```\n\n^```\n([\s\S]*?)^```$/gm)]
  t.strictSame(
    blocks.map(([, language]) => language),
    languages,
  )
  for (const [, language, block = '', shown = ''] of blocks) {
    const [host, receiver] = [url, receiverUrl].map((one) => new URL(one).host) as [string, string]
    const here = block
      .replaceAll(SHOWN_HOST, host)
      .replaceAll(SHOWN_RECEIVER, receiver)
      .replaceAll(encodeURIComponent(SHOWN_RECEIVER), encodeURIComponent(receiver))
    const [command, ...args] =
      language === 'sh' ? ['sh', '-c', here] : [process.execPath, '--input-type=module', '-e', here]
    const { stderr, stdout } = spawnSync(command as string, args, {
      ...{ cwd: FOLDER, encoding: 'utf8', timeout: RUN_MS_MAX },
      env: { ...process.env, PATH: `${programs}:${process.env.PATH}` },
    })
    t.equal(plain(stdout || stderr), plain(shown), `${block}\n${stderr}`)
  }
}

/** Without what differs from one run to the next. */
function plain(output: string): string {
  const lines = output.replaceAll('\r', '').split('\n')
  const kept = lines.filter((line) => !/^(date|connection|keep-alive|content-length|transfer-encoding):/i.test(line))
  return kept
    .join('\n')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{24,27}\b/g, 'ID')
    .replace(/\b\d{19}\b/g, 'NANOSECONDS')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .trim()
}
