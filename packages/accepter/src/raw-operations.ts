import { ReceiptSchema } from '@posthaste/core'
import { HEADER_OPTIONS, QUERY_OPTIONS } from './doors/raw-options.js'
import { json, operation } from './operation.js'
import { DEPTH_HEADER, INSTRUCTION_PROBLEMS, STREAM_PROBLEMS } from './operation-parts.js'

// What is here documents raw mode, which is a door.

const rawOperation = <const Id extends string>(id: Id, path: string, summary: string, query: typeof QUERY_OPTIONS) =>
  operation({
    id,
    method: 'POST',
    path,
    summary,
    scope: 'invoke',
    query,
    isProbe: true,
    headers: { ...HEADER_OPTIONS, ...DEPTH_HEADER },
    takesAny: true,
    answers: {
      202: json('It is on the stream.', ReceiptSchema, {
        Location: 'Where the invocation is shown.',
        'Idempotency-Replayed': '`true` if an earlier request with the key was taken.',
      }),
    },
    problems: [
      ...INSTRUCTION_PROBLEMS.filter((code) => code !== 'not-json' && code !== 'unsupported-media-type'),
      ...(['invalid-key', 'key-reused', 'view-behind', 'too-many-open'] as const),
      ...STREAM_PROBLEMS,
    ],
  })

export const callByQuery = rawOperation(
  'callByQuery',
  '/call',
  'Takes any request as a call: its body and headers pass on, and the query says the rest.',
  QUERY_OPTIONS,
)

export const callByPath = rawOperation(
  'callByPath',
  '/call/{url}',
  'Takes any request as a call of the URL that is the rest of its path, with its query. Headers say the rest.',
  {},
)
