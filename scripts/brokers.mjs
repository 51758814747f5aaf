// npm run brokers: Kafka and NATS on this machine until Ctrl-C, or for as long as a command runs.
//
//   npm run brokers -- [--kafka 3.9|4] [--only kafka|nats] [--kafka-port N] [--nats-port N] [-- command args]
//
// Prints the environment that names them, or gives it to the command. Tests import the functions, for brokers of their
// own that they kill.

import { fileURLToPath } from 'node:url'
import { main } from './brokers/command.mjs'

export { lackingForKafka, startKafka } from './brokers/kafka.mjs'
export { lackingForNats, startNats, startNatsCluster } from './brokers/nats.mjs'
export { freePorts } from './brokers/ports.mjs'

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
