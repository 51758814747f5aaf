import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes an empty directory that goes away when the test is over. */
export function temporaryDirectory(t: { after(work: () => void): unknown }): string {
  const path = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const ofProcess: string[] = []
process.once('exit', () => {
  for (const path of ofProcess) rmSync(path, { recursive: true, force: true })
})

/** Makes an empty directory that goes away with this process. */
export function directoryOfProcess(): string {
  const path = mkdtempSync(join(tmpdir(), 'posthaste-test-'))
  ofProcess.push(path)
  return path
}
