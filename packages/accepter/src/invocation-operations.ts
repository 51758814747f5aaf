import {
  BatchReceiptSchema,
  BatchSchema,
  CancellingSchema,
  INVOCATION_STATES,
  InstructionSchema,
  InvocationListSchema,
  InvocationSchema,
  LIMITS,
  MoveSchema,
  MovingSchema,
  parseBatch,
  parseInstruction,
  parseMove,
  ReceiptSchema,
  RedrivenSchema,
} from '@posthaste/core'
import { json, operation } from './operation.js'
import {
  ACCEPT_HEADERS,
  CHANGE_PROBLEMS,
  DEPTH_HEADER,
  header,
  INSTRUCTION_BYTES_MAX,
  INSTRUCTION_PROBLEMS,
  SMALL_BODY_BYTES_MAX,
  STREAM_PROBLEMS,
} from './operation-parts.js'
import { duration, integer, target, text, time, words } from './parameter.js'

const LOCATION = { Location: 'Where the invocation is shown.' }
const wait = (description: string) => ({ wait: duration(description, LIMITS.waitMsMax) })

export const createInvocation = operation({
  id: 'createInvocation',
  method: 'POST',
  path: '/invocations',
  summary: 'Takes an instruction to make an HTTP call.',
  scope: 'invoke',
  query: {},
  headers: ACCEPT_HEADERS,
  body: { schema: InstructionSchema, bytesMax: INSTRUCTION_BYTES_MAX, read: parseInstruction },
  answers: {
    202: json('It is on the stream.', ReceiptSchema, {
      ...LOCATION,
      'Idempotency-Replayed': '`true` if an earlier request with the key was taken.',
    }),
  },
  problems: [...INSTRUCTION_PROBLEMS, 'invalid-key', 'key-reused', 'view-behind', 'too-many-open', ...STREAM_PROBLEMS],
})

export const createInvocations = operation({
  id: 'createInvocations',
  method: 'POST',
  path: '/invocations/batch',
  summary: 'Takes many instructions at once, those of them that can be taken.',
  scope: 'invoke',
  query: {},
  headers: DEPTH_HEADER,
  body: { schema: BatchSchema, bytesMax: LIMITS.batchBytesMax, read: parseBatch },
  answers: {
    200: json('What became of each. Those with status 202 are on the stream.', BatchReceiptSchema, {
      'Retry-After': 'Seconds after which there is room for more, if there was none for all.',
    }),
  },
  problems: [...INSTRUCTION_PROBLEMS, 'invalid-key', 'view-behind', ...STREAM_PROBLEMS],
})

export const getInvocation = operation({
  id: 'getInvocation',
  method: 'GET',
  path: '/invocations/{id}',
  summary: 'Shows an invocation.',
  scope: 'read',
  query: wait('Answers once it has ended, or after so long.'),
  headers: { 'If-None-Match': header('The tag of what the client has.') },
  answers: {
    200: json('What is known of it.', InvocationSchema, { ETag: 'Names what is shown.' }),
    304: { description: 'The client has it.' },
  },
  problems: ['not-found', 'view-behind'],
})

export const getResponse = operation({
  id: 'getResponse',
  method: 'GET',
  path: '/invocations/{id}/response',
  summary: 'Returns the body of the last answer of the target, as it came.',
  scope: 'read',
  query: {},
  answers: {
    200: {
      description: 'The body, with the Content-Type that the target gave it.',
      content: { type: '*/*', schema: {} },
      headers: { 'Posthaste-Id': 'The invocation.', 'Posthaste-Status': 'What the target answered.' },
    },
  },
  problems: ['not-found', 'no-response', 'view-behind'],
})

export const listInvocations = operation({
  id: 'listInvocations',
  method: 'GET',
  path: '/invocations',
  summary: 'Lists invocations, newest first.',
  scope: 'read',
  query: {
    state: words('Those in one of these states.', INVOCATION_STATES),
    target: target('Those of a URL, whose query does not matter, or of everything at an origin (`https://host`).'),
    correlationId: text('Those with this correlation id.'),
    parent: text('Those that this invocation, or this schedule, gave rise to.'),
    createdAfter: time('Those created from this time on.'),
    createdBefore: time('Those created before.'),
    limit: integer('How many at the most; 50 if left out.', 1, LIMITS.listInvocationsMax),
    cursor: text('`next` of the page before, with the same filters.'),
  },
  answers: {
    200: json(
      'A page. It may have fewer than asked for, or none, and yet a next one: only `next` tells.',
      InvocationListSchema,
      { Link: 'The next page, if there is one.' },
    ),
  },
  problems: [],
})

export const cancelInvocation = operation({
  id: 'cancelInvocation',
  method: 'DELETE',
  path: '/invocations/{id}',
  summary: 'Cancels an invocation.',
  scope: 'control',
  query: wait('Answers once that is done, or after so long; 5s if left out.'),
  answers: {
    200: json('It is cancelled: no call is made from now on.', InvocationSchema),
    202: json('It is being cancelled.', CancellingSchema),
  },
  problems: ['too-large', 'already-ended', ...CHANGE_PROBLEMS],
})

export const moveInvocation = operation({
  id: 'moveInvocation',
  method: 'PATCH',
  path: '/invocations/{id}',
  summary: 'Moves what is scheduled, or the next attempt of what is retrying, to another time.',
  scope: 'control',
  query: wait('Answers once that is done, or after so long; 5s if left out.'),
  body: { schema: MoveSchema, bytesMax: SMALL_BODY_BYTES_MAX, read: parseMove },
  answers: {
    200: json('It is moved.', InvocationSchema),
    202: json('It is being moved.', MovingSchema),
  },
  problems: [
    'not-json',
    'unknown-field',
    'missing-field',
    'invalid-field',
    'invalid-duration',
    'invalid-time',
    'conflicting-fields',
    'unsupported-media-type',
    'too-large',
    'not-movable',
    ...CHANGE_PROBLEMS,
  ],
})

export const redriveInvocation = operation({
  id: 'redriveInvocation',
  method: 'POST',
  path: '/invocations/{id}/redrive',
  summary: 'Sends a dead letter again, as its next generation.',
  scope: 'control',
  query: {},
  answers: { 202: json('It is on the stream.', RedrivenSchema, LOCATION) },
  problems: ['not-redrivable', 'target-refused', 'too-large', 'too-many-open', ...CHANGE_PROBLEMS],
})
