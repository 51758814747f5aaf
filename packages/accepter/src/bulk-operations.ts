import {
  BulkCancelSchema,
  BulkRedriveSchema,
  BulkReportSchema,
  parseBulkCancel,
  parseBulkRedrive,
} from '@posthaste/core'
import { json, operation } from './operation.js'

const BODY_BYTES_MAX = 64 * 1024

const PROBLEMS = [
  'not-json',
  'unknown-field',
  'missing-field',
  'invalid-field',
  'invalid-url',
  'invalid-time',
  'invalid-query',
  'unsupported-media-type',
  'too-large',
  'stream-unavailable',
  'stream-full',
  'overloaded',
] as const

export const redriveInvocations = operation({
  id: 'redriveInvocations',
  method: 'POST',
  path: '/redrive',
  summary: 'Sends the dead letters again that match, a portion at a time.',
  scope: 'control',
  query: {},
  body: { schema: BulkRedriveSchema, bytesMax: BODY_BYTES_MAX, read: parseBulkRedrive },
  answers: { 200: json('They are on the stream.', BulkReportSchema) },
  problems: [...PROBLEMS, 'view-behind', 'too-many-open'],
})

export const cancelInvocations = operation({
  id: 'cancelInvocations',
  method: 'POST',
  path: '/cancel',
  summary: 'Cancels the invocations that match, a portion at a time. Does not wait until they are.',
  scope: 'control',
  query: {},
  body: { schema: BulkCancelSchema, bytesMax: BODY_BYTES_MAX, read: parseBulkCancel },
  answers: { 200: json('They are being cancelled.', BulkReportSchema) },
  problems: PROBLEMS,
})
