#!/usr/bin/env node
/** The process: environment and signals in, exit code out. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { openModelStore, PACKAGE_ROOT } from './app-models.ts'
import { buildServer, openRuns } from './app.ts'
import { runCommand, type CommandIo, type DataUse, type Settings } from './cli/index.ts'
import { SERVE_FLAGS } from './config-flags.ts'
import { loadConfig, type Config } from './config.ts'
import { RefineError } from './core/errors.ts'
import { examine } from './doctor.ts'
import { openapiDocument } from './http/server.ts'
import { IN_MEMORY, requireDatabase } from './storage/sqlite.ts'
import { createLog } from './telemetry/log.ts'

const { version } = JSON.parse(readFileSync(path.join(PACKAGE_ROOT, 'package.json'), 'utf8')) as {
  version: string
}

const readSecret = (name: string): string | undefined => process.env[name]

const logOf = ({ log: { level, prompts } }: Config) => createLog({ level, logPrompts: prompts })

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** Serves until the signal aborts; then admits nothing more, lets the runs end and closes everything. */
const serve = async (settings: Settings, { stdout, signal }: CommandIo): Promise<void> => {
  const config = loadConfig(settings, process.env)
  const log = logOf(config)
  const opened = await openRuns(config, log, readSecret)
  const { runs, close } = opened
  const server = await buildServer(opened, config, log, version)
  try {
    const address = await server
      .listen({ port: config.port, host: config.host })
      .catch((cause: unknown) => {
        throw new RefineError('invalid_request', `Cannot listen: ${(cause as Error).message}`, {
          cause,
        })
      })
    stdout.write(`Whetstone listens on ${address}\n`)
    runs.ready('models').then(
      () => log.info('the models are ready'),
      (cause: unknown) => {
        // Those that are closed before they are loaded never are.
        if (!signal.aborted) log.error({ err: cause }, 'a model is not ready')
      },
    )
    await aborted(signal)
    log.info('shutting down')
    await runs.drain(config.limits.drainSeconds)
  } finally {
    await server.close()
    await close()
  }
}

/** Quiet by default: the terminal belongs to the command. */
const openRunsFor = async (settings: Settings, use: DataUse) => {
  const config = loadConfig({ 'log-level': 'error', ...settings }, process.env)
  if (use === 'require' && config.database === undefined) requireDatabase(config.data)
  const kept = use === 'none' ? { ...config, data: IN_MEMORY, database: undefined } : config
  return openRuns(kept, logOf(config), readSecret)
}

const openModelStoreFor = (settings: Settings) => {
  const config = loadConfig(settings, process.env)
  const offline = config.hub.offline || settings['offline'] === 'true'
  return openModelStore({ ...config, hub: { ...config.hub, offline } })
}

const openapi = async (): Promise<object> => {
  const config = loadConfig({ 'log-level': 'silent' }, {})
  const opened = await openRuns({ ...config, data: IN_MEMORY }, logOf(config), readSecret)
  const { close } = opened
  const server = await buildServer(opened, config, logOf(config), version)
  try {
    await server.ready()
    return openapiDocument(server)
  } finally {
    await server.close()
    await close()
  }
}

const interruption = new AbortController()
const interrupt = (): void => {
  if (interruption.signal.aborted) process.exit(130)
  interruption.abort()
}
process.on('SIGINT', interrupt)
process.on('SIGTERM', interrupt)

process.exitCode = await runCommand(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    signal: interruption.signal,
  },
  {
    version,
    serveFlags: SERVE_FLAGS,
    serve,
    openRuns: openRunsFor,
    openModelStore: openModelStoreFor,
    examine: (settings, signal) =>
      examine(() => loadConfig(settings, process.env), { version, readSecret, signal }),
    packageRoot: PACKAGE_ROOT,
    openapi,
  },
)
