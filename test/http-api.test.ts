import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readExamples } from './harness/doc-examples.js'
import { DocRun } from './harness/doc-run.js'
import { createEmbedded } from './harness/embedded-installation.js'
import { PosthasteProcess } from './harness/posthaste-process.js'
import { TargetServer } from './harness/target-server.js'

t.test('every example of docs/http-api.md and docs/schedules.md is true', async (t) => {
  const examples = ['http-api', 'schedules'].flatMap((name) => {
    const document = fileURLToPath(new URL(`../../docs/${name}.md`, import.meta.url))
    return readExamples(readFileSync(document, 'utf8'))
  })
  const target = await TargetServer.start(({ body, path }, { headers }) => ({
    status: path === '/status/500' ? 500 : 200,
    headers: { 'content-type': headers['content-type'] ?? 'application/octet-stream' },
    body,
  }))
  t.teardown(() => target.stop())
  const { dataDir } = createEmbedded(t)
  const posthaste = await PosthasteProcess.start({ role: 'start', dataDir })
  t.teardown(() => posthaste.stop())

  const run = new DocRun(posthaste.url, target.url)
  for (const example of examples) t.strictSame(await run.faultsOf(example), [], `${example.method} ${example.url}`)
  const served = await operationsOf(posthaste.url)
  t.strictSame(
    served.filter(({ matches }) => !run.asked.some((asked) => matches.test(asked))).map(({ name }) => name),
    [],
    'each operation has one',
  )
})

/** What a process serves, by its own document. */
async function operationsOf(url: string): Promise<{ name: string; matches: RegExp }[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => {
      const name = `${method.toUpperCase()} ${path}`
      return { name, matches: new RegExp(`^${name.replace(/\{\w+\}/g, '[^/]+')}$`) }
    }),
  )
}
