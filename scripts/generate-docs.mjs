// npm run docs: writes the tables of docs/ from the code, between markers. A test calls `renderDocs` to see that they
// are up to date.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepare, root, run } from './prepare.mjs'

/** Returns the documents as they should be but for the layout of tables, by their path within the repository. */
export async function renderDocs() {
  // Not at the top: they may have to be built first.
  const core = await import('../packages/core/dist/src/index.js')
  const { CALL_ERRORS, DEFAULT_RETRY_POLICY, ERRORS, formatDuration, LIMITS, retryDelayMsMax } = core
  const { environmentName, flagName, SETTINGS } = await import('../packages/server/dist/src/index.js')
  const tables = {
    'docs/errors.md': errorTables(ERRORS),
    'docs/configuration.md': { settings: settingsTable(SETTINGS, flagName, environmentName) },
    'docs/http-api.md': { limits: limitsTable(LIMITS, formatDuration) },
    'docs/retries.md': {
      waits: waitsTable(DEFAULT_RETRY_POLICY, retryDelayMsMax, formatDuration),
      failures: callFailuresTable(ERRORS, CALL_ERRORS, DEFAULT_RETRY_POLICY),
    },
  }
  return Object.fromEntries(Object.entries(tables).map(([path, byName]) => [path, fill(path, byName)]))
}

function fill(path, tables) {
  let text = readFileSync(join(root, path), 'utf8')
  for (const [name, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- generated: ${name} -->\n`, '<!-- end -->']
    const from = text.indexOf(begin)
    const to = text.indexOf(end, from)
    if (from < 0 || to < 0) throw new Error(`${path} lacks the markers for ${name}`)
    text = `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`
  }
  return text
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('')
}

function errorTables(errors) {
  const starts = ['invalid-configuration', 'stream-unfit']
  const rows = { answers: [], failures: [], starts: [] }
  for (const [code, { retriable, status, title }] of Object.entries(errors)) {
    const again = retriable ? 'yes' : 'no'
    if (status > 0) rows.answers.push([`\`${code}\``, status, again, title])
    else if (starts.includes(code)) rows.starts.push([`\`${code}\``, title])
    else rows.failures.push([`\`${code}\``, again, title])
  }
  return {
    answers: table(['code', 'status', 'may succeed later', 'meaning'], rows.answers),
    failures: table(['code', 'tried again', 'meaning'], rows.failures),
    starts: table(['code', 'meaning'], rows.starts),
  }
}

/** Every wait of a policy, up to the first that is the longest. */
function waitsTable(policy, retryDelayMsMax, formatDuration) {
  const rows = []
  let totalMs = 0
  for (let attempt = 1, waitMs = 0; waitMs < policy.maxDelayMs; attempt += 1) {
    waitMs = retryDelayMsMax(policy, attempt)
    totalMs += waitMs
    const show = (ms) => (ms % 1_000 === 0 ? formatDuration(ms) : `${ms / 1_000}s`)
    const next = attempt < policy.maxAttempts ? attempt + 1 : `${attempt + 1}, if there are so many`
    rows.push([next, show(waitMs), `${show(waitMs / 2)} to ${show(waitMs)}`, `0 to ${show(waitMs)}`, show(totalMs)])
  }
  return table(['before attempt', '`none`', '`equal`', '`full`, the default', 'all waits so far, at the most'], rows)
}

function callFailuresTable(errors, codes, policy) {
  const rows = codes.map((code) => [`\`${code}\``, policy.errors.includes(code) ? 'yes' : 'no', errors[code].title])
  return table(['code', 'tried again by default', 'meaning'], rows)
}

function settingsTable(settings, flagName, environmentName) {
  const rows = Object.entries(settings).map(([key, { default: fallback, description, range, type }]) => [
    `\`--${flagName(key)}\``,
    `\`${environmentName(key)}\``,
    `\`${key}\``,
    range ? `${type}, ${range}` : type,
    fallback === '' ? 'none' : `\`${fallback}\``,
    description,
  ])
  return table(['flag', 'environment', 'file', 'type', 'default', 'what it is'], rows)
}

function limitsTable(limits, formatDuration) {
  const bytes = (n) => (n % 1024 ** 2 === 0 ? `${n / 1024 ** 2} MiB` : `${n / 1024} KiB`)
  const ms = (n) => `\`${formatDuration(n)}\``
  const plain = (n) => n
  const characters = (n) => `${n} characters`
  const words = {
    requestHeadBytesMax: ['First line and headers of a request; beyond it 431', bytes],
    requestHeadersMax: ['Headers of a request; beyond it 431', plain],
    jsonDepthMax: ['Levels of the JSON of a request; beyond it 413', plain],
    bodiesBytesMax: [
      'Bodies of requests on their way in, and as much again of calls at once; a tenant, or function, leaves as much as it has; beyond it 503',
      bytes,
    ],
    requestMsMax: ['How long a request may take to be all there; beyond it 408', ms],
    answerMsMax: [
      'How long an answer may take to be fetched; beyond it, and by twice as long, the connection is cut',
      ms,
    ],
    keepAliveMsMax: ['How long a connection may be idle before it is closed', ms],
    waitingRequestsMax: [
      'Requests of a process that wait, as with `wait`, of which a tenant leaves as many as he has; one more is answered at once',
      plain,
    ],
    functionCallsMax: [
      'Functions that a process is [calling at once](front-doors.md#the-url-of-a-function), of which each leaves as many as it has; beyond it 503',
      plain,
    ],
    pendingChangesMax: [
      'Cancellations and moves that are looked out for, of which a tenant leaves as many as he has',
      plain,
    ],
    urlBytesMax: ['A URL, its query included', bytes],
    methodLengthMax: ['`method`', characters],
    headerCountMax: ['Headers; each value of a list counts', plain],
    headerBytesMax: ['Names and values of all headers together', bytes],
    queryParametersMax: ['Names in `query`', plain],
    forwardHeadersMax: ['`headers` of `forwardTo`', plain],
    correlationIdLengthMax: ['`correlationId`', characters],
    delayMsMax: ['How far ahead `notBefore`, `delay`, `expiresAt` and `expiresIn` may lie', ms],
    timeoutMsMin: ['Shortest `timeout`', ms],
    timeoutMsMax: ['Longest `timeout`', ms],
    retryAttemptsMax: ['`retry.maxAttempts`', plain],
    retryDelayMsMax: ['`retry.initialDelay` and `retry.maxDelay`', ms],
    retryFactorMax: ['`retry.factor`', plain],
    retryAgeMsMax: ['`retry.maxAge`', ms],
    retryEntriesMax: ['Entries of `retry.statuses`, and of `retry.errors`', plain],
    scheduleEveryMsMin: ['Shortest `every` of a [schedule](schedules.md)', ms],
    cronLengthMax: ['`cron`', characters],
    scheduleRunsMax: ['`runs`', plain],
    listSchedulesMax: ['`limit` of a list of schedules', plain],
    depthMax: ['Invocations that give rise to one another', plain],
    recordBytesMax: ['An instruction as a [record](record-format.md): a line of JSON and the bytes of the body', bytes],
    responseHeadBytesMax: ["First line and headers of a target's response; beyond it the call fails", bytes],
    responseHeaderBytesMax: ['Headers of a response that are recorded; what goes beyond is left out', bytes],
    idempotencyKeyLengthMax: ['`Idempotency-Key`', characters],
    batchInvocationsMax: ['Instructions in a batch', plain],
    batchBytesMax: ['A batch as JSON text', bytes],
    waitMsMax: ['`wait`', ms],
    listInvocationsMax: ['`limit` of a list', plain],
    bulkInvocationsMax: ['`limit` of a bulk operation', plain],
    redriveRateMin: ['Lowest `rate` of a redrive, in calls a second', plain],
    redriveRateMax: ['Highest `rate` of a redrive', plain],
  }
  const rows = Object.entries(limits).map(([name, value]) => {
    if (!words[name]) throw new Error(`there are no words for the limit ${name}`)
    const [what, show] = words[name]
    return [what, show(value)]
  })
  return table(['what', 'limit'], rows)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await prepare()
  const docs = await renderDocs()
  for (const [path, text] of Object.entries(docs)) writeFileSync(join(root, path), text)
  // The formatter lays out tables in its own way.
  process.exitCode = run('biome', ['format', '--write', '--no-errors-on-unmatched', ...Object.keys(docs)])
}
