/** Items in the order of their time. */
export class DueHeap<T extends { readonly dueMs: number }> {
  readonly #items: T[] = []

  get length(): number {
    return this.#items.length
  }

  /** Infinite if there is none. */
  get firstDueMs(): number {
    return this.#items[0]?.dueMs ?? Number.POSITIVE_INFINITY
  }

  push(item: T): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if ((items[parent] as T).dueMs <= item.dueMs) break
      items[at] = items[parent] as T
      at = parent
    }
    items[at] = item
  }

  /** Removes the first one and returns it. */
  pop(): T | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (first === undefined || last === undefined || items.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= items.length) break
      const right = left + 1
      const child = right < items.length && (items[right] as T).dueMs < (items[left] as T).dueMs ? right : left
      if ((items[child] as T).dueMs >= last.dueMs) break
      items[at] = items[child] as T
      at = child
    }
    items[at] = last
    return first
  }
}
