import { CycleReportSchema, LIMITS, LivenessSchema, ReadinessSchema, StatsSchema } from '@posthaste/core'
import { PING_KEY_HEADER, PING_KEY_PARAMETER } from './gate.js'
import { json, operation } from './operation.js'
import { header } from './operation-parts.js'
import { duration, text } from './parameter.js'

export const getStats = operation({
  id: 'getStats',
  method: 'GET',
  path: '/stats',
  summary: 'Counts invocations by state, and tells how it goes.',
  scope: 'operate',
  query: {},
  answers: { 200: json('As far as the view knows.', StatsSchema) },
  problems: [],
})

export const getMetrics = operation({
  id: 'getMetrics',
  method: 'GET',
  path: '/metrics',
  summary: 'Measures of this process, for Prometheus.',
  scope: 'operate',
  query: {},
  isProbe: true,
  answers: {
    200: { description: 'Text of Prometheus.', content: { type: 'text/plain', schema: { type: 'string' } } },
  },
  problems: [],
})

const cycle = {
  path: '/cycle',
  summary: 'Wakes the listener.',
  scope: 'operate',
  query: {
    wait: duration(
      'Answers once what was there at the ping is done, or after so long; 1s if left out.',
      LIMITS.waitMsMax,
    ),
    [PING_KEY_PARAMETER]: text('The secret of pings, instead of a token.'),
  },
  headers: { [PING_KEY_HEADER]: header('The secret of pings, instead of a token.') },
  isProbe: true,
  takesPingKey: true,
  answers: {
    200: json('All is done that was there.', CycleReportSchema),
    202: json('It goes on.', CycleReportSchema),
  },
  problems: ['stream-unavailable'],
} as const

export const ping = operation({ ...cycle, id: 'ping', method: 'GET' })
export const pingByPost = operation({
  ...cycle,
  id: 'pingByPost',
  method: 'POST',
  problems: [...cycle.problems, 'too-large'],
})

export const getLiveness = operation({
  id: 'getLiveness',
  method: 'GET',
  path: '/livez',
  summary: 'Answers while the process does.',
  scope: 'open',
  query: {},
  isProbe: true,
  answers: { 200: json('It does.', LivenessSchema) },
  problems: [],
})

export const getReadiness = operation({
  id: 'getReadiness',
  method: 'GET',
  path: '/readyz',
  summary: 'Tells whether the process can do its work.',
  scope: 'open',
  query: {},
  isProbe: true,
  answers: { 200: json('It can.', ReadinessSchema) },
  problems: ['not-ready'],
})

export const getOpenApi = operation({
  id: 'getOpenApi',
  method: 'GET',
  path: '/openapi.json',
  summary: 'Returns this document.',
  scope: 'open',
  query: {},
  isProbe: true,
  answers: { 200: json('An OpenAPI 3.1 document.', { type: 'object' }) },
  problems: [],
})
