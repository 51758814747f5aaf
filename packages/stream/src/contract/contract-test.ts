/** What the suite uses of tap's `t`, so that it needs no test library of its own. */
export interface ContractTest {
  test(name: string, body: (t: ContractTest) => Promise<void>): unknown
  teardown(after: () => Promise<void>): unknown
  ok(found: unknown, ...message: Message): unknown
  equal(found: unknown, wanted: unknown, ...message: Message): unknown
  strictSame(found: unknown, wanted: unknown, ...message: Message): unknown
  /** `found` has what `wanted` has, and may have more. */
  match(found: unknown, wanted: object, ...message: Message): unknown
  /** `promise` rejects with what matches `wanted`: the code of an error, say. */
  rejects(promise: Promise<unknown>, wanted: Rejection): Promise<unknown>
}

type Message = [] | [message: string]
type Rejection = { readonly name: string; readonly code: string }
