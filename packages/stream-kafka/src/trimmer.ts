import { KeptOffset } from '@posthaste/stream'
import type { Admin } from 'kafkajs'
import type { Settings } from './kafka-options.js'
import type { Watermarks } from './watermarks.js'

export interface TrimmerParts {
  readonly admin: Admin
  readonly settings: Settings
  readonly watermarks: Watermarks
}

interface Trimmed {
  readonly committed: KeptOffset
  trimmedTo: number
}

/** Removes what lies below the committed offsets of partitions, now and then, where that has grown. */
export class Trimmer {
  readonly #parts: TrimmerParts
  /** By topic and partition. */
  readonly #topics = new Map<string, Map<number, Trimmed>>()
  #timer: NodeJS.Timeout | undefined
  #trimming: Promise<void> | undefined

  constructor(parts: TrimmerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#trimming ??= this.#trim(({ committed }) => committed.before(performance.now())).finally(() => {
        this.#trimming = undefined
      })
    }, this.#parts.settings.trimEveryMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#trimming
  }

  /** Everything below `offset` may go, in a while. */
  below(topic: string, partition: number, offset: number): void {
    const partitions = this.#topics.get(topic) ?? new Map<number, Trimmed>()
    this.#topics.set(topic, partitions)
    const trimmed = partitions.get(partition) ?? { committed: new KeptOffset(), trimmedTo: 0 }
    partitions.set(partition, trimmed)
    trimmed.committed.moveTo(offset)
  }

  /** Removes all that may go, at once: what is left would be called again if the group's offsets were lost. */
  trimAll(): Promise<void> {
    return this.#trim(({ committed }) => committed.offset)
  }

  async #trim(offsetOf: (trimmed: Trimmed) => number): Promise<void> {
    const { admin, settings, watermarks } = this.#parts
    for (const [topic, all] of this.#topics) {
      const grown = [...all].map(([partition, trimmed]) => ({ partition, trimmed, offset: offsetOf(trimmed) }))
      const wanted = grown.filter(({ offset, trimmed }) => offset > trimmed.trimmedTo)
      if (wanted.length === 0) continue
      const partitions = wanted.map(({ offset, partition }) => ({ partition, offset: String(offset) }))
      try {
        // The library asks for no metadata here, and fails without.
        await watermarks.of(topic)
        await admin.deleteTopicRecords({ topic, partitions })
        for (const { offset, trimmed } of wanted) trimmed.trimmedTo = offset
      } catch (error) {
        settings.log.debug({ err: error, topic }, 'what is completed cannot be removed now')
      }
    }
  }
}
