import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import type { BrokerInstallation } from './broker-installation.js'

/** Writes records to `calls` with a tool that knows nothing of Posthaste. */
export interface Producer {
  /** What is missing here, in words. */
  readonly lacking: string | undefined
  produce(installation: BrokerInstallation, values: readonly Buffer[]): Promise<void>
}

const hasKcat = spawnSync('kcat', ['-V'], { stdio: 'ignore' }).status === 0

export const kcat: Producer = {
  lacking: hasKcat ? undefined : 'kcat (apt-get install kcat)',
  async produce({ prefix, settings }, values) {
    const directory = mkdtempSync(join(tmpdir(), 'posthaste-kcat-'))
    try {
      const files = values.map((value, number) => {
        const file = join(directory, String(number))
        writeFileSync(file, value)
        return file
      })
      // Each file is one message, as it is.
      const args = ['-P', '-b', settings.kafkaBrokers as string, '-t', `${prefix}.calls`, ...files]
      const child = spawn('kcat', args, { stdio: ['ignore', 'inherit', 'inherit'] })
      const [code] = await once(child, 'exit')
      if (code !== 0) throw new Error(`kcat ended with ${code}.`)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}

/** Core NATS: no acknowledgement, no header, as `nats pub` does it. */
export const plainNats: Producer = {
  lacking: undefined,
  async produce({ prefix, settings }, values) {
    const connection = await connect({ servers: settings.natsUrl as string })
    for (const value of values) connection.publish(`${prefix}.calls`, value)
    await connection.drain()
  },
}
