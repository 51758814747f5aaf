export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** Holds answers back until it is opened. */
export function closedGate(): Gate {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
