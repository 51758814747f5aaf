import { PosthasteError } from '@posthaste/core'

/** What the library's errors have, wherever in the chain of causes it stands. */
interface KafkaError extends Error {
  readonly type?: string
}

const TOO_LARGE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'OFFSET_METADATA_TOO_LARGE']
const UNFIT = [
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'INVALID_TRANSACTION_TIMEOUT',
]
/** Another broker leads the partition, or none does yet. */
const MOVING = [
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
]

/** Makes one of ours of an error of the library. */
export function translate(error: unknown): PosthasteError {
  if (error instanceof PosthasteError) return error
  const chain = causesOf(error)
  const text = (chain.at(-1) ?? new Error(String(error))).message
  if (chain.some(({ type }) => type !== undefined && TOO_LARGE.includes(type))) {
    return new PosthasteError('too-large', `The broker takes nothing of this size: ${text}`, { cause: error })
  }
  if (chain.some(isRefusal)) {
    return new PosthasteError('stream-unfit', `The broker refuses: ${text}`, { cause: error })
  }
  return new PosthasteError('stream-unavailable', `Kafka: ${text}`, { cause: error })
}

/** Whether what failed was surely not done, because a partition has another leader or none yet: it may work a moment later. */
export function isMoving(error: unknown): boolean {
  return causesOf(error).some(({ type }) => type !== undefined && MOVING.includes(type))
}

/** Whether it is, or comes from, what the broker answered in these words. */
export function hasType(error: unknown, wanted: string): boolean {
  return causesOf(error).some(({ type }) => type === wanted)
}

/** Whether the broker answered at all: then it is not away. */
export function isAnswer(error: unknown): boolean {
  return causesOf(error).some(({ type }) => type !== undefined)
}

function isRefusal({ name, type }: KafkaError): boolean {
  return name === 'KafkaJSSASLAuthenticationError' || (type !== undefined && UNFIT.includes(type))
}

/** The error, its cause, and so on. */
function causesOf(error: unknown): KafkaError[] {
  const chain: KafkaError[] = []
  for (let each = error; each instanceof Error && chain.length < 10; each = each.cause) chain.push(each)
  return chain
}
