/** What the suite uses of tap's `t`, so that it needs no test library of its own. */
export interface ContractTest {
  test(name: string, body: (t: ContractTest) => Promise<void>): unknown
  teardown(after: () => Promise<void>): unknown
  ok(found: unknown, ...message: Message): unknown
  equal(found: unknown, wanted: unknown, ...message: Message): unknown
  strictSame(found: unknown, wanted: unknown, ...message: Message): unknown
}

type Message = [] | [message: string]
