import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, TopicPartitionOffsetAndMetadata } from 'kafkajs'
import { assignorOf } from './assignor.js'
import type { GroupMemberOptions } from './group-member-options.js'
import { memberRetry } from './kafka-client.js'

const REBUILD_FIRST_MS = 250
const REBUILD_LAST_MS = 5_000
/** How long one that is replaced may take to end, if it ever does. It tries nothing again meanwhile. */
const DISCONNECT_MS = 5_000
/** How long leaving the group may take. */
const LEAVE_MS = 3_000
/** A member that is trusted no more has so much longer than its session to join again, before the broker is asked. */
const DOUBT_MS = 5_000
const LOOK_MS = 1_000
/** Of the session time-out: how much before its end a member stops trusting that it is still one. */
const MARGIN = 0.2

/**
 * A member of a consumer group. Joins again by itself, with a new consumer where the library gives up, until it is
 * stopped.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #stopping = new AbortController()
  #consumer: Consumer | undefined
  #running: Promise<void> | undefined
  #memberId = ''
  #generation = -1
  #owned: ReadonlySet<string> = new Set()
  /** How often it asked to join since it last had. */
  #joins = 0
  #heartbeatSentMs = 0
  #trustedUntilMs = 0

  constructor(options: GroupMemberOptions) {
    this.#options = options
  }

  /** Whether no other member can have been given what this one owns, by its own clock. */
  get isTrusted(): boolean {
    return performance.now() < this.#trustedUntilMs
  }

  get hasJoined(): boolean {
    return this.#memberId !== ''
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#forget()
    this.#consumer = undefined
    const abort = new AbortController()
    await Promise.race([this.#running, sleep(LEAVE_MS, undefined, abort).catch(() => undefined)])
    abort.abort()
  }

  /** Does nothing while it is no member. */
  pause(topic: string, partition: number): void {
    this.#whileMember((consumer) => consumer.pause([{ topic, partitions: [partition] }]))
  }

  resume(topic: string, partition: number): void {
    this.#whileMember((consumer) => consumer.resume([{ topic, partitions: [partition] }]))
  }

  seek(topic: string, partition: number, offset: number): void {
    this.#whileMember((consumer) => consumer.seek({ topic, partition, offset: String(offset) }))
  }

  /** Rejects if this is no member any more, or is to join again. */
  async commit(offsets: TopicPartitionOffsetAndMetadata[]): Promise<void> {
    if (!this.#consumer) throw new Error('no member of the group now')
    await this.#consumer.commitOffsets(offsets)
  }

  #whileMember(act: (consumer: Consumer) => void): void {
    if (!this.#consumer || !this.hasJoined) return
    try {
      act(this.#consumer)
    } catch (error) {
      // It has crashed and will tell so in a moment: then another takes its place, and all is read anew.
      this.#options.log.debug({ err: error }, 'a consumer is gone')
    }
  }

  /** One consumer after the other, each until the library gives up on it. */
  async #run(): Promise<void> {
    const { log, groupId } = this.#options
    let waitMs = REBUILD_FIRST_MS
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      const startedMs = performance.now()
      try {
        await this.#consume()
      } catch (error) {
        // Once, however long it lasts.
        const level = failures === 0 || this.hasJoined ? 'warn' : 'debug'
        failures = this.hasJoined ? 1 : failures + 1
        if (!this.#stopping.signal.aborted) log[level]({ err: error, groupId }, 'a consumer failed; joining anew')
      }
      this.#consumer = undefined
      if (this.hasJoined) {
        this.#forget()
        this.#options.events.left()
      }
      // One that ran for long does not pay for those before it.
      if (performance.now() - startedMs > REBUILD_LAST_MS * 2) waitMs = REBUILD_FIRST_MS
      await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      waitMs = Math.min(REBUILD_LAST_MS, waitMs * 2)
    }
  }

  /**
   * Rejects once the consumer does nothing any more, or is to be replaced. One that joins for the first time is not
   * disconnected before it has: the library would go on joining, and be a member that nobody knows of. One that is
   * replaced while it joins again may be such a member until its session is over.
   */
  async #consume(): Promise<void> {
    const over = new AbortController()
    const consumer = this.#build(over.signal)
    try {
      const crashed = new Promise<Error>((resolve) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error))
      })
      await consumer.connect()
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true })
      if (this.#stopping.signal.aborted) return
      this.#consumer = consumer
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => {
          if (this.#consumer === consumer) this.#options.events.batch(payload)
        },
      })
      throw await Promise.race([crashed, aborted(this.#stopping.signal), this.#forgotten(over.signal)])
    } finally {
      over.abort()
      const left = consumer.disconnect().catch(() => undefined)
      await Promise.race([left, sleep(DISCONNECT_MS, undefined, { ref: false })])
    }
  }

  /**
   * Resolves once the broker no longer knows this member although it thinks that it is one: after a network that was
   * silent and then broke, the library may wait for something that never comes.
   */
  async #forgotten(over: AbortSignal): Promise<Error> {
    const { admin, groupId, sessionTimeoutMs } = this.#options
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal: over }).catch(() => undefined)
      if (over.aborted) return new Error('over')
      const doubtfulMs = performance.now() - this.#trustedUntilMs
      if (!this.hasJoined || doubtfulMs < sessionTimeoutMs + DOUBT_MS) continue
      // Whoever does not answer may be away, and know it when it is back.
      const answer = await admin.describeGroups([groupId]).catch(() => undefined)
      const members = answer?.groups[0]?.members
      if (members && !members.some(({ memberId }) => memberId === this.#memberId)) {
        return new Error('The broker does not know this member any more.')
      }
    }
  }

  #build(over: AbortSignal): Consumer {
    const { bytesPerPartitionMax, client, fetchWaitMs, groupId, member, sessionTimeoutMs, slots } = this.#options
    const consumer = client().consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.floor(sessionTimeoutMs / 6),
      maxWaitTimeInMs: fetchWaitMs,
      maxBytesPerPartition: bytesPerPartitionMax,
      partitionAssigners: [
        assignorOf(slots, () => {
          this.#joins += 1
          return { member, owned: [...this.#owned], generation: this.#generation }
        }),
      ],
      retry: {
        ...memberRetry(() => over.aborted || this.#stopping.signal.aborted),
        restartOnFailure: async () => false,
      },
    })
    this.#listen(consumer)
    return consumer
  }

  #listen(consumer: Consumer): void {
    const { events } = this.#options
    const whileCurrent = (act: () => void): void => {
      if (this.#consumer === consumer) act()
    }
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
      whileCurrent(() => this.#joined(payload.memberId, payload.memberAssignment)),
    )
    consumer.on(consumer.events.REQUEST, ({ payload }) => {
      if (payload.apiName === 'Heartbeat') this.#heartbeatSentMs = performance.now() - payload.duration
    })
    consumer.on(consumer.events.HEARTBEAT, ({ payload }) =>
      whileCurrent(() => {
        this.#generation = payload.groupGenerationId
        this.#trustFrom(this.#heartbeatSentMs)
        events.confirmed?.()
      }),
    )
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { batchSize, lastOffset, partition, topic } }) => {
      if (batchSize === 0) whileCurrent(() => events.nothing?.(topic, partition, Number(lastOffset) + 1))
    })
    consumer.on(consumer.events.FETCH_START, () => whileCurrent(() => events.fetching?.()))
  }

  #joined(memberId: string, assignment: Readonly<Record<string, number[]>>): void {
    const { slots, events } = this.#options
    // The library gives no generation. Who is still the same member and had to ask once only has missed none.
    const meanwhile = memberId !== this.#memberId ? 'expelled' : this.#joins === 1 ? 'kept' : 'moved'
    this.#joins = 0
    this.#memberId = memberId
    this.#owned = new Set(
      slots.all.filter((slot) =>
        slots.partitionsOf(slot).every(({ topic, partition }) => assignment[topic]?.includes(partition)),
      ),
    )
    this.#generation += 1
    this.#trustFrom(performance.now())
    events.joined(this.#owned, meanwhile)
  }

  #trustFrom(timeMs: number): void {
    this.#trustedUntilMs = timeMs + this.#options.sessionTimeoutMs * (1 - MARGIN)
  }

  #forget(): void {
    this.#memberId = ''
    this.#owned = new Set()
    this.#trustedUntilMs = 0
  }
}

function aborted(signal: AbortSignal): Promise<Error> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(new Error('stopped'))
    signal.addEventListener('abort', () => resolve(new Error('stopped')), { once: true })
  })
}
