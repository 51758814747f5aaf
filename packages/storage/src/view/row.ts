import { INVOCATION_STATES, type InvocationState, isFinalState, type Standing, stateOf } from '@posthaste/core'
import type { Hashes } from './hashes.js'

/**
 * What is kept of an invocation: where it stands, what the indexes need, and lines of the logs as they came, which are
 * read when they are shown.
 */
export interface Row extends Hashes {
  /** The number of whose it is, as `Tenants` has it; 0 before anything was told. */
  readonly tenant: number
  readonly standing: Standing
  /** The earliest that was told. */
  readonly createdAtMs: number
  /** The first line of the call, and where it is from: `calls` is better than what the journal has of it. */
  readonly head: Uint8Array
  readonly headGeneration: number
  readonly headSource: HeadSource
  /**
   * The line of the entry that ended it, or else of the last turn that ended, and which turn that is. Before any has, that
   * of a note, and 0.
   */
  readonly entry: Uint8Array
  readonly entryGeneration: number
  readonly entryAttempt: number
  /** The line of the last entry with a response, where that is an earlier one. */
  readonly answered: Uint8Array
  /** The attempts before that of `entry`, as JSON. */
  readonly attempts: Uint8Array
  /** Of which generation there is a record in the table of records: the call that goes on, or the dead letter; 0 for none. */
  readonly recordGeneration: number
  /** The bytes of the body in the table of responses. */
  readonly bodyBytes: number
}

/** Where the first line of a call is from; the greater one counts. */
export const HEAD_SOURCES = { none: 0, journal: 1, calls: 2 } as const
export type HeadSource = (typeof HEAD_SOURCES)[keyof typeof HEAD_SOURCES]

const NONE = new Uint8Array(0)

/** A row of which nothing was told yet. */
export const NEW_ROW: Row = {
  tenant: 0,
  standing: { generation: 0, attempt: 0, move: 0, queuedAtMs: 0, dueMs: 0, runningAtMs: 0, ended: undefined },
  createdAtMs: Number.POSITIVE_INFINITY,
  origin: 0,
  target: 0,
  correlation: 0,
  parent: 0,
  head: NONE,
  headGeneration: 0,
  headSource: HEAD_SOURCES.none,
  entry: NONE,
  entryGeneration: 0,
  entryAttempt: 0,
  answered: NONE,
  attempts: NONE,
  recordGeneration: 0,
  bodyBytes: 0,
}

/** What of a row is in the indexes, in a form that is read without the rest. */
export interface Facets extends Hashes {
  readonly tenant: number
  readonly state: InvocationState
  readonly createdAtMs: number
  /** When it is due, of what is scheduled or retrying; 0 for anything else. */
  readonly dueMs: number
  /** Since when it is in line, of what is queued; 0 for anything else. */
  readonly queuedAtMs: number
}

export function facetsOf({ correlation, createdAtMs, origin, parent, standing, target, tenant }: Row): Facets {
  const state = stateOf(standing)
  const dueMs = state === 'scheduled' || state === 'retrying' ? standing.dueMs : 0
  const queuedAtMs = state === 'queued' ? standing.queuedAtMs : 0
  return { tenant, state, createdAtMs, origin, target, correlation, parent, dueMs, queuedAtMs }
}

/** A row on disk: what is fixed, little-endian, then the lines behind one another. */
const TENANT_AT = 106
const HEADER_BYTES = 110

/** Where rows are encoded: each is copied before the next one. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024)

/** The row as it stands on disk. The bytes are good until the next row is encoded. */
export function encodeRow(row: Row): Buffer {
  const { answered, attempts, entry, head, standing } = row
  const length = HEADER_BYTES + head.length + entry.length + answered.length + attempts.length
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * length)
  const bytes = scratch.subarray(0, length)
  bytes[0] = INVOCATION_STATES.indexOf(stateOf(standing))
  bytes[1] = row.headSource
  bytes.writeUInt32LE(row.origin, 2)
  bytes.writeUInt32LE(row.target, 6)
  bytes.writeUInt32LE(row.correlation, 10)
  bytes.writeUInt32LE(standing.generation, 14)
  bytes.writeUInt32LE(standing.attempt, 18)
  bytes.writeUInt32LE(row.headGeneration, 22)
  bytes.writeUInt32LE(row.entryGeneration, 26)
  bytes.writeUInt32LE(row.entryAttempt, 30)
  bytes.writeUInt32LE(row.recordGeneration, 34)
  bytes.writeUInt32LE(row.bodyBytes, 38)
  bytes.writeUInt32LE(head.length, 42)
  bytes.writeUInt32LE(entry.length, 46)
  bytes.writeUInt32LE(answered.length, 50)
  bytes.writeDoubleLE(row.createdAtMs, 54)
  bytes.writeDoubleLE(standing.move, 62)
  bytes.writeDoubleLE(standing.queuedAtMs, 70)
  bytes.writeDoubleLE(standing.dueMs, 78)
  bytes.writeDoubleLE(standing.runningAtMs, 86)
  bytes.writeDoubleLE(standing.ended?.atMs ?? 0, 94)
  bytes.writeUInt32LE(row.parent, 102)
  bytes.writeUInt32LE(row.tenant, TENANT_AT)
  let at = HEADER_BYTES
  for (const part of [head, entry, answered, attempts]) {
    if (part.length > 0) bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The lines are views of `bytes`. */
export function decodeRow(bytes: Buffer): Row {
  const state = stateAt(bytes)
  const entryAt = HEADER_BYTES + bytes.readUInt32LE(42)
  const answeredAt = entryAt + bytes.readUInt32LE(46)
  const attemptsAt = answeredAt + bytes.readUInt32LE(50)
  return {
    tenant: peekTenant(bytes),
    origin: bytes.readUInt32LE(2),
    target: bytes.readUInt32LE(6),
    correlation: bytes.readUInt32LE(10),
    parent: bytes.readUInt32LE(102),
    createdAtMs: bytes.readDoubleLE(54),
    headSource: bytes[1] as HeadSource,
    headGeneration: bytes.readUInt32LE(22),
    entryGeneration: bytes.readUInt32LE(26),
    entryAttempt: bytes.readUInt32LE(30),
    recordGeneration: bytes.readUInt32LE(34),
    bodyBytes: bytes.readUInt32LE(38),
    standing: {
      generation: bytes.readUInt32LE(14),
      attempt: bytes.readUInt32LE(18),
      move: bytes.readDoubleLE(62),
      queuedAtMs: bytes.readDoubleLE(70),
      dueMs: bytes.readDoubleLE(78),
      runningAtMs: bytes.readDoubleLE(86),
      ended: isFinalState(state) ? { state, atMs: bytes.readDoubleLE(94) } : undefined,
    },
    head: bytes.subarray(HEADER_BYTES, entryAt),
    entry: bytes.subarray(entryAt, answeredAt),
    answered: bytes.subarray(answeredAt, attemptsAt),
    attempts: bytes.subarray(attemptsAt),
  }
}

/** What a list chooses by, of a row as it is on disk. */
export function peekHashes(bytes: Buffer): Hashes {
  return {
    origin: bytes.readUInt32LE(2),
    target: bytes.readUInt32LE(6),
    correlation: bytes.readUInt32LE(10),
    parent: bytes.readUInt32LE(102),
  }
}

/** Whose a row is, as it is on disk. */
export function peekTenant(bytes: Buffer): number {
  return bytes.readUInt32LE(TENANT_AT)
}

function stateAt(bytes: Buffer): InvocationState {
  return INVOCATION_STATES[bytes[0] as number] as InvocationState
}
