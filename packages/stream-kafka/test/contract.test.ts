import { streamContract } from '@posthaste/stream/contract'
import t from 'tap'
import { kafkaHarness, noBroker } from './kafka-harness.js'

if (noBroker) t.test('the contract of streams', { skip: noBroker }, async () => undefined)
else streamContract(t, kafkaHarness)
