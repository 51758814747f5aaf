// Kafka's jars from Maven Central, with the logging that its pom leaves to its archive.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runDownload } from './cache.mjs'

/** The newest patch of each line that Maven Central has whole. */
export const KAFKA_VERSIONS = { 3.9: '3.9.2', 4: '4.3.1' }
const RELOAD4J = ['org.slf4j:slf4j-reload4j:1.7.36']
// Without settings reload4j prints nothing; log4j prints errors, and more when a system property says so.
const RELOAD4J_SETTINGS = `log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c{1} %m%n
`
const LOG4J = ['log4j-slf4j-impl', 'log4j-core', 'log4j-api'].map((name) => `org.apache.logging.log4j:${name}:2.26.1`)

/** Fills a directory with the jars of one version. @throws Error when Maven fails. */
export async function downloadKafka(version, directory) {
  const work = join(directory, 'work')
  const pom = join(directory, 'pom.xml')
  writeFileSync(
    pom,
    pomOf([`org.apache.kafka:kafka_2.13:${version}`, ...(version.startsWith('3.') ? RELOAD4J : LOG4J)]),
  )
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${directory}`]
  // A repository of its own, for two Mavens may not write to one at once.
  await runDownload('mvn', ['-B', '-q', '-C', '-Dstyle.color=never', '-f', pom, `-Dmaven.repo.local=${work}`, ...goal])
  writeFileSync(join(directory, 'log4j.properties'), RELOAD4J_SETTINGS)
  rmSync(work, { recursive: true })
}

function pomOf(dependencies) {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>${coordinates('posthaste:brokers:1')}
  <dependencies>${dependencies.map((each) => `\n    <dependency>${coordinates(each)}</dependency>`).join('')}
  </dependencies>
</project>\n`
}

function coordinates(text) {
  const [group, artifact, version] = text.split(':')
  return `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`
}
