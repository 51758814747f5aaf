import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PosthasteOptions } from '@posthaste/test/harness/posthaste-process.js'

export const STREAMS = ['embedded', 'nats', 'kafka'] as const
export type StreamName = (typeof STREAMS)[number]

type Launcher = typeof import('../../scripts/brokers.mjs')

/** Where something is measured: a folder on the disk that counts, and a stream with what it stands on. */
export interface Site {
  readonly folder: string
  readonly stream: StreamName
  /** An installation that nobody has used. */
  install(): Installation
  /** Ends the broker. */
  close(): Promise<void>
}

export interface Installation {
  readonly dataDir: string
  readonly settings: NonNullable<PosthasteOptions['settings']>
  remove(): void
}

/** Opens a site; a broker for it is started, with its data in the folder. */
export async function openSite(stream: StreamName, folder: string): Promise<Site> {
  const { settings, stop } = await startBroker(stream, folder)
  let installations = 0
  return {
    folder,
    stream,
    install() {
      installations += 1
      const dataDir = mkdtempSync(join(folder, 'data-'))
      return {
        dataDir,
        settings: { stream, prefix: `bench${installations}`, ...settings },
        remove: () => rmSync(dataDir, { recursive: true, force: true }),
      }
    },
    close: stop,
  }
}

async function startBroker(stream: StreamName, folder: string): Promise<Broker> {
  if (stream === 'embedded') return { settings: {}, async stop() {} }
  const launcher = (await import(new URL('../../../scripts/brokers.mjs', import.meta.url).href)) as Launcher
  const directory = mkdtempSync(join(folder, `${stream}-`))
  if (stream === 'nats') {
    const nats = await launcher.startNats({ directory })
    return { settings: { natsUrl: nats.url }, stop: () => nats.stop() }
  }
  const kafka = await launcher.startKafka({ directory })
  return { settings: { kafkaBrokers: kafka.brokers }, stop: () => kafka.stop() }
}

interface Broker {
  readonly settings: Installation['settings']
  stop(): Promise<void>
}
