import type { Readable, Writable } from 'node:stream'

/** Where people or programs read what a command prints. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** What a command reads from and prints to. */
export interface Streams {
  readonly stdin: Readable
  readonly stdout: Terminal
  readonly stderr: Terminal
}

/** Prints what a command found: JSON for programs, one document a line, or words for people. */
export class Output {
  readonly isJson: boolean
  readonly #stdout: Terminal
  readonly #stderr: Terminal
  #isRead = true

  /** `isJson` left out: words on a terminal, JSON elsewhere. */
  constructor(isJson: boolean | undefined, { stderr, stdout }: Pick<Streams, 'stdout' | 'stderr'>) {
    this.isJson = isJson ?? stdout.isTTY !== true
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /** Whether somebody still reads what is printed. */
  get isRead(): boolean {
    return this.#isRead
  }

  /** Prints `value` as it is, or as `describe` says it. */
  show<T>(value: T, describe: (value: T) => string): Promise<void> {
    return this.isJson ? this.json(value) : this.text(describe(value))
  }

  json(value: unknown): Promise<void> {
    return this.bytes(`${JSON.stringify(value)}\n`)
  }

  text(text: string): Promise<void> {
    return this.bytes(`${plain(text)}\n`)
  }

  /** Prints bytes as they are, and resolves once they are taken: what is read slowly does not fill the memory. */
  bytes(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      this.#stdout.write(bytes, (error) => {
        // What else there is to it the stream says by itself.
        if (error) this.#isRead = false
        resolve()
      })
    })
  }

  /** Says something beside the result. */
  note(text: string): void {
    this.#stderr.write(`${plain(text)}\n`)
  }

  /** Says how far it is, in one line that the next one replaces; only to people. An empty text ends it. */
  progress(text: string): void {
    if (this.#stderr.isTTY) this.#stderr.write(`\r\x1b[K${plain(text)}`)
  }
}

/** Text that cannot steer a terminal, whoever brought it: control characters become `?`, line breaks stay. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, '?')
}
