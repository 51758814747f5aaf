import { formatDuration, type NamedFunction } from '@posthaste/core'
import { readFunctionFile } from '@posthaste/server'
import type { Output } from './output.js'
import { Table } from './table.js'

/** Prints the functions of a file. @throws PosthasteError that says what is wrong with it */
export async function showFunctions(file: string, output: Output): Promise<void> {
  const { functions } = readFunctionFile(file)
  if (output.isJson) for (const one of functions) await output.json(documentOf(one))
  else await output.text(new Table(COLUMNS).lines(functions.map(rowOf)))
}

const COLUMNS = ['NAME', 'URL', 'METHOD', 'TIMEOUT', 'ATTEMPTS', 'AT ONCE', 'ACCEPTS', 'ROUTES', 'DOORS']

/** What is not said of it is as of any call, and left empty. */
function rowOf({ acceptStatus, doors, limits, method, name, retry, routes, timeoutMs, url }: NamedFunction): string[] {
  return [
    name,
    url,
    method ?? '',
    timeoutMs === undefined ? '' : formatDuration(timeoutMs),
    String(retry?.maxAttempts ?? ''),
    String(limits?.concurrency ?? ''),
    String(acceptStatus),
    routes.join(','),
    doors ? doors.join(',') || 'none' : 'all',
  ]
}

/** All that it says, as it was read, but for the values of headers. */
function documentOf({ headers, ...fn }: NamedFunction): object {
  return { ...fn, headers: Object.fromEntries(Object.keys(headers).map((name) => [name, '***'])) }
}
