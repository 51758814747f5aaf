// The command line client of OpenFaaS, built from its Go module: for the test that it works with us as it is.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, runDownload } from './brokers/cache.mjs'

const MODULE = 'github.com/openfaas/faas-cli'
// Its releases have tags that are no versions to Go: this is one by its commit.
const VERSION = 'v0.0.0-20211012083206-08e3e965c831'
const NAME = `faas-cli-${VERSION}`

/** Returns the path of the program. @throws Error when it cannot be downloaded or built. */
export async function faasCli() {
  return join(await cached(NAME, build), 'faas-cli')
}

// Not by `go install`: that asks for the list of its versions, which proxies of modules do not all have.
async function build(directory) {
  writeFileSync(join(directory, 'go.mod'), `module faas-cli.test\n\ngo 1.21\n\nrequire ${MODULE} ${VERSION}\n`)
  const args = ['-C', directory, 'build', '-mod=mod', '-trimpath', '-o', 'faas-cli', MODULE]
  await runDownload('go', args, { CGO_ENABLED: '0' })
}
