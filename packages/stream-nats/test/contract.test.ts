import { checkpointStoreContract } from '@posthaste/storage/contract'
import { streamContract } from '@posthaste/stream/contract'
import t from 'tap'
import { checkpointHarness } from './checkpoint-harness.js'
import { NO_SERVER, natsHarness } from './nats-harness.js'

if (NO_SERVER) t.test('the contract', { skip: NO_SERVER }, async () => undefined)
else {
  t.test('stream', async (t) => streamContract(t, natsHarness))
  t.test('checkpoint store', async (t) => checkpointStoreContract(t, checkpointHarness))
}
