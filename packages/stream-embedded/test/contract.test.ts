import { streamContract } from '@posthaste/stream/contract'
import t from 'tap'
import { embeddedHarness } from './embedded-harness.js'

streamContract(t, embeddedHarness)
