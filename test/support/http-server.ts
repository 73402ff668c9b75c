/** Servers for tests: closed when the test ends. */
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Experiments } from '../../src/experiments/experiments.ts'
import { RunExports } from '../../src/exports/run-exports.ts'
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

/** Experiments and exports that are gone when the test ends, with arms of any strategy. */
const openKept = async (t: TestContext) => {
  const store = openSqliteStore(IN_MEMORY)
  t.after(() => store.close())
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  return {
    experiments: await Experiments.open({
      store: store.experiments,
      log,
    }),
    exports: new RunExports({ store, splitters: [(text) => text.split('\n')] }),
  }
}

export const buildServer = async (
  t: TestContext,
  runs: FakeRuns = new FakeRuns(),
  options: Partial<ServerOptions> = {},
): Promise<FastifyInstance> => {
  const log = pino({ level: 'silent' })
  const kept = await openKept(t)
  const app = await createServer({ runs, log, version: '0.0.0-test', ...kept, ...options })
  // As a listening socket would: the timers of requests with a time limit do not keep the process alive.
  const alive = setInterval(() => undefined, 60_000)
  t.after(async () => {
    clearInterval(alive)
    await app.close()
  })
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
