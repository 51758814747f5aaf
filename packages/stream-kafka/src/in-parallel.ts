/** Does something for each item, so many at a time. Whatever fails, all are tried; then it rejects with the first failure. */
export async function inParallel<T>(
  items: readonly T[],
  atOnceMax: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  const next = items.values()
  const work = async (): Promise<void> => {
    for (const item of next) await act(item).catch((error: unknown) => failures.push(error))
  }
  await Promise.all(Array.from({ length: atOnceMax }, work))
  if (failures.length > 0) throw failures[0]
}
