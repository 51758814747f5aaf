// The brokers of a test run.

import { relative, resolve } from 'node:path'
import { root } from '../prepare.mjs'
import { BROKERS, provideBroker } from './provide.mjs'

/**
 * Starts the brokers that the named test files need, without names all. Resolves with the environment for the tests,
 * with a line for each thing that cannot be tested here, and with how to stop.
 */
export async function brokersForTests(files) {
  const needed = Object.keys(BROKERS).filter((name) => isNeeded(name, files))
  const provided = await Promise.all(needed.map((name) => provideForTests(name)))
  const env = { ...process.env }
  // Tests of the configuration must not meet settings that they did not make.
  for (const { variable } of Object.values(BROKERS)) delete env[variable]
  for (const { variables } of provided) Object.assign(env, variables)
  return {
    env,
    untested: provided.flatMap(({ untested }) => untested),
    stop: () => Promise.all(provided.map(({ stop }) => stop())),
  }
}

// What crosses packages is in test/; a pattern may mean anything.
function isNeeded(name, files) {
  const paths = files.map((file) => relative(root, resolve(root, file)))
  return (
    paths.length === 0 || paths.some((path) => path.includes(name) || path.startsWith('test/') || path.includes('*'))
  )
}

async function provideForTests(name) {
  const { title, variable, tools, lacking } = BROKERS[name]
  const options = name === 'kafka' ? { version: process.env.POSTHASTE_TEST_KAFKA } : {}
  try {
    const { address, stop } = await provideBroker(name, options)
    const missing = lacking(options) // a test that kills a broker starts its own
    return {
      variables: { [variable.replace('POSTHASTE_', 'POSTHASTE_TEST_')]: address },
      untested: missing ? [`${title} when it is killed: ${missing} is missing. Install ${tools}.`] : [],
      stop,
    }
  } catch (error) {
    return { variables: {}, untested: [`${title}: ${error.message}`], stop: async () => {} }
  }
}
