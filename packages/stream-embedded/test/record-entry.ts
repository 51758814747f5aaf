import type { Delivery, Effects } from '@posthaste/stream'

/** A journal entry that says which record was completed. */
export function entryOf({ record }: Delivery): Effects {
  return { journal: [{ key: record.key, value: Buffer.from(String(record.offset)) }] }
}
