// npm run sbom [-- FILE]: a software bill of materials, CycloneDX 1.6 as JSON, of what is installed for Posthaste to run.
// It goes to standard output, or to a file.

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installedDependencies, readManifest } from './installed.mjs'
import { root } from './prepare.mjs'

/** The same for the same dependencies, but for the time. */
export function createSbom(at = new Date()) {
  const { license, name, version } = readManifest(root)
  const installed = installedDependencies()
  const components = installed.map(componentOf)
  const own = { type: 'application', 'bom-ref': `${name}@${version}`, name, version, licenses: licensesOf(license) }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialNumberOf([own, ...components]),
    version: 1,
    metadata: { timestamp: at.toISOString(), component: own },
    components,
    dependencies: [
      { ref: own['bom-ref'], dependsOn: installed.filter(({ isDirect }) => isDirect).map(purlOf) },
      ...installed.map((one) => ({ ref: purlOf(one), dependsOn: one.dependsOn.map(purlOfId) })),
    ],
  }
}

function componentOf(one) {
  const [, group, name] = /^(?:(@[^/]+)\/)?(.+)$/.exec(one.name)
  return {
    type: 'library',
    'bom-ref': purlOf(one),
    ...(group && { group }),
    name,
    version: one.version,
    hashes: [hashOf(one.integrity)],
    licenses: licensesOf(one.license),
    purl: purlOf(one),
  }
}

function purlOf({ name, version }) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function purlOfId(id) {
  const at = id.lastIndexOf('@')
  return purlOf({ name: id.slice(0, at), version: id.slice(at + 1) })
}

/** The lockfile has hashes in base64, and names them otherwise. */
function hashOf(integrity) {
  const [algorithm, digest] = integrity.split('-', 2)
  return { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }
}

function licensesOf(license) {
  return [/ (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } }]
}

/** A UUID that is made of the content. */
function serialNumberOf(content) {
  const hex = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = `${JSON.stringify(createSbom(), undefined, 2)}\n`
  const [, , path] = process.argv
  if (path) writeFileSync(path, text)
  else process.stdout.write(text)
}
