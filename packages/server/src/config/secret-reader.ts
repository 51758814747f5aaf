import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { SecretReader } from '@posthaste/core'

/** Reads what a secret in a file of the configuration stands for. Paths are relative to the folder of that file. */
export function secretReader(path: string, environment: Readonly<Record<string, string | undefined>>): SecretReader {
  return (source) => {
    if (typeof source === 'string') return given(source, 'It')
    if ('env' in source) return given(environment[source.env], source.env)
    try {
      return given(readFileSync(resolve(dirname(path), source.file), 'utf8'), source.file)
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
