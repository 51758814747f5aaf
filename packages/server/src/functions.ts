import { type FunctionMap, functionMapOf, type Log, NO_FUNCTIONS } from '@posthaste/core'
import { type FunctionFile, readFunctionFile } from './config/function-reader.js'
import { FollowedFile } from './followed-file.js'

/** The functions that there are, which change with their file. */
export class Functions {
  readonly #file: FollowedFile<FunctionMap> | undefined
  #tell: (functions: FunctionMap) => void = () => undefined

  constructor(file: FunctionFile | undefined, log: Log) {
    if (!file) return
    const { path } = file
    this.#file = new FollowedFile({
      ...{ what: 'functions', path, log },
      value: functionMapOf(file.functions),
      read: (onSecretFile) => functionMapOf(readFunctionFile(path, undefined, onSecretFile).functions),
      onChange: (functions) => {
        this.#tell(functions)
        log.info({ path, functions: functions.size }, 'the functions have changed')
      },
    })
  }

  /** Those of now. */
  readonly now = (): FunctionMap => this.#file?.value ?? NO_FUNCTIONS

  /** Whether they are those of before, because the file cannot be read as it is now. */
  get isStale(): boolean {
    return this.#file?.isBad ?? false
  }

  /** Tells one who has no part in this thread's memory which functions there are from now on. */
  onChange(tell: (functions: FunctionMap) => void): void {
    this.#tell = tell
  }

  /** Begins to look whether there are others. */
  start(): void {
    this.#file?.start()
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await this.#file?.stop()
  }
}
