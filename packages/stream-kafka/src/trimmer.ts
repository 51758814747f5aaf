import type { Admin } from 'kafkajs'
import type { Settings } from './kafka-options.js'
import type { Watermarks } from './watermarks.js'

export interface TrimmerParts {
  readonly admin: Admin
  readonly settings: Settings
  readonly watermarks: Watermarks
}

/** Removes what lies below the committed offsets of partitions, now and then, where that has grown. */
export class Trimmer {
  readonly #parts: TrimmerParts
  /** Offsets to remove below, by topic and partition. */
  #wanted = new Map<string, Map<number, number>>()
  #timer: NodeJS.Timeout | undefined
  #trimming: Promise<void> | undefined

  constructor(parts: TrimmerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#trimming ??= this.trim().finally(() => {
        this.#trimming = undefined
      })
    }, this.#parts.settings.trimEveryMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#trimming
  }

  /** Everything below `offset` may go. */
  below(topic: string, partition: number, offset: number): void {
    if (offset <= 0) return
    const offsets = this.#wanted.get(topic) ?? new Map<number, number>()
    this.#wanted.set(topic, offsets.set(partition, offset))
  }

  /** Removes now what may go. */
  async trim(): Promise<void> {
    const { admin, watermarks } = this.#parts
    const wanted = this.#wanted
    this.#wanted = new Map()
    for (const [topic, offsets] of wanted) {
      const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
      try {
        // The library asks for no metadata here, and fails without.
        await watermarks.of(topic)
        await admin.deleteTopicRecords({ topic, partitions })
      } catch (error) {
        for (const [partition, offset] of offsets) {
          if (!this.#wanted.get(topic)?.has(partition)) this.below(topic, partition, offset)
        }
        this.#parts.settings.log.debug({ err: error, topic }, 'what is completed cannot be removed now')
      }
    }
  }
}
