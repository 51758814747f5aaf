// What is installed for the packages of this workspace to run: what they depend on, and what that brings.

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './prepare.mjs'

/**
 * The dependencies of the packages, as they are installed here, by name and version: those that only other platforms
 * need are missing. Each is `{ name, version, license, isDirect, integrity, dependsOn }`, the last as `name@version`.
 */
export function installedDependencies() {
  const integrities = readIntegrities()
  const found = new Map()
  const add = (folder, isDirect) => {
    const { license, name, version, ...manifest } = readManifest(folder)
    const id = `${name}@${version}`
    const known = found.get(id)
    if (known) {
      known.isDirect ||= isDirect
      return id
    }
    const one = { name, version, license: licenseOf(license), isDirect, integrity: integrities.get(id), dependsOn: [] }
    found.set(id, one)
    one.dependsOn = namedIn(manifest).flatMap((dependency) => {
      const there = folderOf(dependency, folder)
      return there ? [add(there, false)] : []
    })
    return id
  }
  for (const folder of readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name)))
    for (const name of Object.keys(readManifest(folder).dependencies ?? {}))
      if (!name.startsWith('@posthaste/')) add(folderOf(name, folder), true)
  return [...found.values()].sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1))
}

/** Where a package finds one that it depends on; undefined if that is not installed, as what is for other platforms. */
export function folderOf(name, from) {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const there = join(folder, 'node_modules', name)
    if (existsSync(join(there, 'package.json'))) return realpathSync(there)
  }
  return undefined
}

export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** Of a package.json, which once knew other forms. */
export function licenseOf(license) {
  return typeof license === 'object' && license !== null ? license.type : license
}

function namedIn({ dependencies = {}, optionalDependencies = {} }) {
  return Object.keys({ ...dependencies, ...optionalDependencies })
}

/** The hash of each package that the lockfile names. */
function readIntegrities() {
  const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
  const entries = lockfile.matchAll(/^ {2}'?([^\s'][^\s']*@[^\s':]+)'?:\n {4}resolution: \{integrity: ([^}]+)\}/gm)
  return new Map([...entries].map(([, id, integrity]) => [id, integrity]))
}
