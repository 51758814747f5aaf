import type { Consumer, Delivery, Effects, StoredRecord } from '@posthaste/stream'

/** `consumer`, of which is heard what follows from each record once that is completed. */
export function watched(consumer: Consumer, onCompleted: (record: StoredRecord, effects: Effects) => void): Consumer {
  const watch = (delivery: Delivery): Delivery => ({
    record: delivery.record,
    lost: delivery.lost,
    leaving: delivery.leaving,
    held: () => delivery.held(),
    begin: (turn) => delivery.begin(turn),
    checkOut: (watchdog, notes) => delivery.checkOut(watchdog, notes),
    complete: async (effects = {}) => {
      const completed = await delivery.complete(effects)
      if (completed === 'done') onCompleted(delivery.record, effects)
      return completed
    },
  })
  return {
    pull: async (options) => (await consumer.pull(options)).map(watch),
    act: (turn, effects) => consumer.act(turn, effects),
    progress: () => consumer.progress(),
    stop: () => consumer.stop(),
  }
}
