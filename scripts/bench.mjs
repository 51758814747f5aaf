// npm run bench [-- EXPERIMENT...]: prepares, then measures. See docs/performance.md.

import { prepare } from './prepare.mjs'

await prepare()
await import('../bench/dist/src/main.js')
