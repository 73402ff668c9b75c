/** The composition root: the only place that knows every part by name. */
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Config } from './config.ts'
import type { RateLimits } from './config-file.ts'
import { RefineError } from './core/errors.ts'
import type { Sandbox } from './core/sandbox.ts'
import { Experiments } from './experiments/experiments.ts'
import { RunExports } from './exports/run-exports.ts'
import { createServer } from './http/server.ts'
import type { ExperimentStore } from './core/experiment-store.ts'
import type { RunStore } from './core/run-store.ts'
import { openRegistry, type ReadSecret } from './app-models.ts'
import type { ModelRegistry } from './models/registry.ts'
import { createPrompts, promptsFor, readWordings, type PromptsFor } from './prompts/index.ts'
import { definitionChecks } from './runs/assignment-plan.ts'
import { DuelService } from './runs/duel-service.ts'
import type { Parts } from './runs/plan.ts'
import { Quotas, type QuotaLimits } from './runs/quotas.ts'
import { Retention } from './runs/retention.ts'
import { Runner } from './runs/runner.ts'
import { readWebhookSecret } from './runs/webhook.ts'
import { WebhookDispatcher } from './runs/webhook-dispatcher.ts'
import { createSandbox } from './scoring/sandbox/sandbox.ts'
import { createScorers } from './scoring/scorers.ts'
import type { DatabaseRunStore } from './storage/run-store.ts'
import { openPostgresStore } from './storage/postgres.ts'
import { openSqliteThread } from './storage/sqlite-thread.ts'
import { STRATEGIES } from './strategies/index.ts'
import type { createLog } from './telemetry/log.ts'

type Logger = ReturnType<typeof createLog>

type Rate = NonNullable<RateLimits['requests']>

export interface Runs {
  readonly runs: Runner
  readonly experiments: Experiments
  readonly exports: RunExports
  readonly duels: DuelService
  /** Ends the runs under way and releases models and database. */
  readonly close: () => Promise<void>
}

const check = (registry: ModelRegistry, config: Config, model: string): void => {
  registry.get(model)
  const { strategy } = config.defaults
  if (STRATEGIES.some(({ name }) => name === strategy)) return
  throw new RefineError('unknown_strategy', `The default strategy "${strategy}" does not exist.`)
}

/** Runs as training data; which prompts cut a text into steps is told by what they made of it. */
const exportsOf = (store: RunStore): RunExports =>
  new RunExports({
    store,
    splitters: [
      (text) => promptsFor('full').splitSteps(text),
      (text) => promptsFor('compact').splitSteps(text),
    ],
  })

/** Limits by owner, which is the hash of the key. */
const quotasOf = ({ apiKeys, rateLimits }: Config): Quotas => {
  const read = ({ requests, tokens, concurrent_runs: concurrentRuns }: RateLimits): QuotaLimits => {
    const rate = ({ quota, window_seconds: windowSeconds }: Rate) => ({ quota, windowSeconds })
    return {
      ...(requests === undefined ? {} : { requests: rate(requests) }),
      ...(tokens === undefined ? {} : { tokens: rate(tokens) }),
      ...(concurrentRuns === undefined ? {} : { concurrentRuns }),
    }
  }
  const own = new Map(apiKeys.map((key) => [key.hash, key.rateLimits]))
  return new Quotas((owner) => read(own.get(owner) ?? rateLimits))
}

/** Who may choose the arm of an experiment: the keys that say so, and everybody on a server without keys. */
const mayForceOf = ({ apiKeys }: Config): ((owner: string) => boolean) => {
  const allowed = new Set(apiKeys.filter(({ mayForce }) => mayForce).map(({ hash }) => hash))
  return (owner) => apiKeys.length === 0 || allowed.has(owner)
}

/** @throws RefineError naming the set, and the question whose wording is wrong, or the folder that cannot be read */
const promptsOf = ({ prompts }: Config): PromptsFor =>
  createPrompts(
    Object.fromEntries(
      Object.entries(prompts).map(([name, given]) => [
        name,
        typeof given === 'string' ? readWordings(path.resolve(given)) : given,
      ]),
    ),
  )

/** @throws RefineError when the default model or strategy does not exist */
const partsOf = (config: Config, registry: ModelRegistry, sandbox: Sandbox): Parts => {
  const model = config.defaults.model ?? registry.ids[0]!
  check(registry, config, model)
  return {
    strategies: STRATEGIES,
    models: {
      get: (id) => registry.get(id),
      describe: () => registry.list(),
      ready: () => registry.ready(),
    },
    prompts: promptsOf(config),
    scorers: (models, prompts) => createScorers(models, prompts, sandbox),
    sandbox,
    defaults: { ...config.defaults, model },
  }
}

const openExperiments = async (
  config: Config,
  store: ExperimentStore,
  parts: Parts,
  log: Logger,
): Promise<Experiments> => {
  const experiments = await Experiments.open({ store, log, checks: definitionChecks(parts) })
  await experiments.definitions.applyFile(config.experiments)
  return experiments
}

const openStore = ({ database, data }: Config, log: Logger): Promise<DatabaseRunStore> =>
  database === undefined ? openSqliteThread(data) : openPostgresStore(database, log)

type Opened = Omit<Runs, 'close'> & { readonly retention: Retention }

/** All that stands on the store. */
const openOn = async (
  store: DatabaseRunStore,
  parts: Parts,
  config: Config,
  log: Logger,
): Promise<Opened> => {
  const { secrets, allowPrivate } = config.webhooks
  const webhooks = { secrets: secrets.map(readWebhookSecret), allowPrivate }
  const experiments = await openExperiments(config, store.experiments, parts, log)
  const retention = new Retention({ days: config.retention, store, experiments, log })
  const runs = new Runner({
    parts,
    store,
    log,
    limits: config.limits,
    quotas: quotasOf(config),
    webhooks: new WebhookDispatcher({ store: store.deliveries, log, ...webhooks }),
    experiments,
    missing: (id) => retention.missing(id),
    mayForce: mayForceOf(config),
  })
  const recovered = await runs.recover()
  if (recovered > 0)
    log.warn({ runs: recovered }, 'ended the runs that an earlier process left behind')
  const duels = new DuelService({ parts, store, experiments, log, load: () => runs.load() })
  runs.observe({ ended: () => duels.wake() })
  duels.wake()
  return { runs, experiments, retention, duels, exports: exportsOf(store) }
}

/**
 * Everything but the transport: what `whetstone refine` runs on.
 * @throws RefineError for a configuration that cannot work, or a data folder in use.
 */
export const openRuns = async (
  config: Config,
  log: Logger,
  readSecret: ReadSecret,
): Promise<Runs> => {
  const registry = await openRegistry(config, log, readSecret)
  const sandbox = createSandbox()
  const parts = partsOf(config, registry, sandbox)
  const store = await openStore(config, log)
  const opened = await openOn(store, parts, config, log).catch(async (cause: unknown) => {
    // A thread or connections that stay open would keep the process from ending.
    await store.close()
    throw cause
  })
  const { runs, experiments, exports, duels, retention } = opened
  retention.start()
  return {
    runs,
    experiments,
    exports,
    duels,
    close: async () => {
      await runs.drain(config.limits.drainSeconds)
      await duels.close()
      await retention.close()
      await experiments.idle()
      await sandbox.close()
      await registry.close()
      await store.close()
    },
  }
}

/** The server around the runs; the caller listens and closes it. */
export const buildServer = (
  { runs, experiments, exports }: Pick<Runs, 'runs' | 'experiments' | 'exports'>,
  config: Config,
  log: Logger,
  version: string,
): Promise<FastifyInstance> =>
  createServer({
    runs,
    experiments,
    exports,
    log,
    version,
    keys: config.apiKeys.map(({ name, hash }) => ({ name, sha256: hash })),
    origins: config.origins,
    mayForce: mayForceOf(config),
    limits: {
      bodyBytes: config.limits.bodyBytes,
      imageBodyBytes: config.limits.imageBodyBytes,
      bodiesBytes: config.limits.bodiesBytes,
    },
  })
