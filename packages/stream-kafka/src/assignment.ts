/** A member as whoever assigns sees it. */
export interface Candidate {
  readonly id: string
  /** What it owned. */
  readonly owned: readonly string[]
  /** The generation of the group in which it owned that: of two that name the same, the later is right. */
  readonly generation: number
}

/**
 * Shares `slots` among members: balanced within one, and as few as possible change hands. The same for the same input,
 * in whatever order it comes.
 */
export function assign(candidates: readonly Candidate[], slots: readonly string[]): Map<string, string[]> {
  const members = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1))
  const owned = ownedBy(members, slots)
  const fewest = Math.floor(slots.length / members.length)
  let oneMore = slots.length % members.length
  const free = new Set(slots)
  const assigned = new Map<string, string[]>()
  // Those who own most keep one more.
  for (const { id } of [...members].sort((a, b) => sizeOf(owned, b.id) - sizeOf(owned, a.id))) {
    const own = owned.get(id) ?? []
    const most = fewest + (oneMore > 0 && own.length > fewest ? 1 : 0)
    if (most > fewest) oneMore -= 1
    const kept = spread(own, most)
    for (const slot of kept) free.delete(slot)
    assigned.set(id, kept)
  }
  const left = [...free]
  for (const { id } of members) {
    const own = assigned.get(id) as string[]
    const most = Math.max(own.length, fewest)
    own.push(...left.splice(0, most - own.length))
  }
  for (const { id } of members) {
    const own = assigned.get(id) as string[]
    if (own.length === fewest) own.push(...left.splice(0, 1))
  }
  return assigned
}

/** Which slots each member has the best claim to, in the order of `slots`. */
function ownedBy(members: readonly Candidate[], slots: readonly string[]): Map<string, string[]> {
  const claims = new Map<string, Candidate>()
  for (const member of members) {
    for (const slot of member.owned) {
      const other = claims.get(slot)
      if (!other || other.generation < member.generation) claims.set(slot, member)
    }
  }
  const owned = new Map<string, string[]>()
  for (const slot of slots) {
    const id = claims.get(slot)?.id
    if (id !== undefined) owned.set(id, [...(owned.get(id) ?? []), slot])
  }
  return owned
}

/** `count` of `slots`, taken at even distances: neighbours are of one topic, and each member should keep some of each. */
function spread(slots: readonly string[], count: number): string[] {
  if (slots.length <= count) return [...slots]
  return Array.from({ length: count }, (_, index) => slots[Math.floor((index * slots.length) / count)] as string)
}

function sizeOf(owned: ReadonlyMap<string, readonly string[]>, id: string): number {
  return owned.get(id)?.length ?? 0
}
