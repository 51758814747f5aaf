import { FUNCTION_DOOR_NAMES, OWN_PATHS } from '@posthaste/accepter/doors'
import { type NamedFunction, PosthasteError, parseFunctionFile } from '@posthaste/core'
import { secretReader } from './secret-reader.js'
import type { Environment } from './setting.js'
import { readYamlFile, type YamlFile } from './yaml-file.js'

/** The functions that there are, and where they stand. */
export interface FunctionFile {
  readonly path: string
  readonly functions: readonly NamedFunction[]
}

/**
 * Reads the functions of a file of YAML, or of JSON. `onSecretFile` learns in which files their secrets stand.
 * @throws PosthasteError `invalid-configuration` that says what is wrong with it, and in which lines, but no secret
 */
export function readFunctionFile(
  path: string,
  environment: Environment = process.env,
  onSecretFile?: (file: string) => void,
): FunctionFile {
  const read = readYamlFile(path)
  if ('faults' in read) throw unfit(path, read.faults)
  try {
    const readSecret = secretReader(path, environment, onSecretFile)
    return {
      path,
      functions: parseFunctionFile(read.value, readSecret, { doors: FUNCTION_DOOR_NAMES, ownPaths: OWN_PATHS }),
    }
  } catch (error) {
    if (!(error instanceof PosthasteError)) throw error
    throw unfit(path, faultsOf(error, read))
  }
}

/** One a line, in the order of the file. */
function faultsOf({ fields }: PosthasteError, { lineOf }: YamlFile): string[] {
  return fields
    .map(({ detail, pointer }) => ({ detail, parts: partsOf(pointer), line: lineOf(partsOf(pointer)) }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
    .map(({ detail, line, parts }) => `${line === undefined ? '' : `line ${line}, `}${shown(parts)}: ${detail}`)
}

function partsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** In `{X-Key:secret}` all is the name: one that is no plain word is not shown. */
function shown(parts: readonly string[]): string {
  return parts.map((part) => (/^[\w.-]*$/.test(part) ? `/${part}` : '/…')).join('') || 'all of it'
}

function unfit(path: string, faults: readonly string[]): PosthasteError {
  const fields = faults.map((detail) => ({ pointer: '', code: 'invalid-configuration' as const, detail }))
  return new PosthasteError('invalid-configuration', `In ${path} something is wrong:\n${faults.join('\n')}`, { fields })
}
