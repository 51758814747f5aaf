import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { SecretReader } from '@posthaste/core'

/**
 * Reads what a secret in a file of the configuration stands for. Paths are relative to the folder of that file; `onFile`
 * learns each that is read.
 */
export function secretReader(
  path: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  onFile: (file: string) => void = () => undefined,
): SecretReader {
  return (source) => {
    if (typeof source === 'string') return given(source, 'It')
    if ('env' in source) {
      // `constructor` is there, and no variable.
      return given(Object.hasOwn(environment, source.env) ? environment[source.env] : undefined, source.env)
    }
    const file = resolve(dirname(path), source.file)
    onFile(file)
    try {
      return given(readFileSync(file, 'utf8'), source.file)
    } catch (error) {
      return { fault: `${source.file} cannot be read: ${(error as NodeJS.ErrnoException).code}.` }
    }
  }
}

/** Editors end a file with a line break. */
function given(text: string | undefined, name: string): ReturnType<SecretReader> {
  const value = text?.trim()
  return value ? { value } : { fault: `${name} is empty.` }
}
