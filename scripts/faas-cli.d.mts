// Types of faas-cli.mjs, for tests in TypeScript: as brokers.d.mts.

/** Returns the path of the program, built if it was not yet. @throws Error when it cannot be, as where there is no Go. */
export function faasCli(): Promise<string>
