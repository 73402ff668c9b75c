/** Servers for tests: closed when the test ends. */
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Experiments } from '../../src/experiments/experiments.ts'
import { createServer } from '../../src/http/server.ts'
import type { ServerOptions } from '../../src/http/server-options.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { FakeRuns } from './fake-runs.ts'

export interface TestServer {
  readonly app: FastifyInstance
  readonly runs: FakeRuns
  /** Without a slash at the end. */
  readonly url: string
}

/** Experiments that are gone when the test ends, with arms of any strategy. */
const openExperiments = async (t: TestContext): Promise<Experiments> => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  return Experiments.open({ store: store.experiments, log, checkArm: () => undefined })
}

export const buildServer = async (
  t: TestContext,
  runs: FakeRuns = new FakeRuns(),
  options: Partial<ServerOptions> = {},
): Promise<FastifyInstance> => {
  const log = pino({ level: 'silent' })
  const experiments = options.experiments ?? (await openExperiments(t))
  const app = await createServer({ runs, log, version: '0.0.0-test', ...options, experiments })
  t.after(() => app.close())
  return app
}

/** A server that listens on a free port of the loopback interface. */
export const listen = async (
  t: TestContext,
  runs: FakeRuns = new FakeRuns(),
  options: Partial<ServerOptions> = {},
): Promise<TestServer> => {
  const app = await buildServer(t, runs, options)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { app, runs, url: `http://127.0.0.1:${port}` }
}
