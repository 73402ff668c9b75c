/** The composition root: the only place that knows every part by name. */
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Config } from './config.ts'
import type { RateLimits } from './config-file.ts'
import { RefineError } from './core/errors.ts'
import { Experiments } from './experiments/experiments.ts'
import { createServer } from './http/server.ts'
import type { ModelStore } from './core/model-store.ts'
import { includedModels, readCatalog, type CatalogEntry } from './models/catalog.ts'
import { InstalledModels } from './models/hub/installed-models.ts'
import type { ModelConfig } from './models/model-config.ts'
import { modelSource, type ModelParts } from './models/model-factory.ts'
import { adviceFor, createModelStore, requireInstalled } from './models/model-store.ts'
import { CHECKPOINT_CHECKS } from './models/onnx-checks.ts'
import { createOnnxModel } from './models/onnx.ts'
import { ModelRegistry } from './models/registry.ts'
import { promptsFor } from './prompts/index.ts'
import { armCheck } from './runs/assignment-plan.ts'
import type { Parts } from './runs/plan.ts'
import { Quotas, type QuotaLimits } from './runs/quotas.ts'
import { Runner } from './runs/runner.ts'
import { readWebhookSecret } from './runs/webhook.ts'
import { WebhookDispatcher } from './runs/webhook-dispatcher.ts'
import { createScorers } from './scoring/scorers.ts'
import { openSqliteStore } from './storage/sqlite.ts'
import { STRATEGIES } from './strategies/index.ts'
import type { createLog } from './telemetry/log.ts'

type Logger = ReturnType<typeof createLog>

/** The checkout or the installed package: compiled files stand in `dist/src` below it. */
export const PACKAGE_ROOT = path.resolve(import.meta.dirname, '../..')

/** For trying out and for load: deterministic, at the pace of a small served model. */
const SCRIPTED: ModelConfig = { id: 'scripted', adapter: 'scripted' }

/** The models of the configuration, and those that come with the program where their ids are free. */
const modelsOf = (config: Config, catalog: readonly CatalogEntry[]): ModelConfig[] => {
  const taken = new Set(config.models.map(({ id }) => id))
  const included = [...includedModels(catalog), SCRIPTED].filter(({ id }) => !taken.has(id))
  return [...config.models, ...included]
}

/**
 * The models on this machine's disk.
 * @throws RefineError invalid_request for a hub that has no address.
 */
export const openModelStore = async (config: Config): Promise<ModelStore> => {
  const { endpoint, token, offline } = config.hub
  return createModelStore({
    folder: config.modelsFolder,
    hub: { endpoint, offline, ...(token !== undefined && { token }) },
    catalog: await readCatalog(PACKAGE_ROOT),
    checks: CHECKPOINT_CHECKS,
  })
}

type Rate = NonNullable<RateLimits['requests']>

export interface Runs {
  readonly runs: Runner
  readonly experiments: Experiments
  /** Ends the runs under way and releases models and database. */
  readonly close: () => Promise<void>
}

export type ReadSecret = (name: string) => string | undefined

const check = (registry: ModelRegistry, config: Config, model: string): void => {
  registry.get(model)
  const { strategy } = config.defaults
  if (STRATEGIES.some(({ name }) => name === strategy)) return
  throw new RefineError('unknown_strategy', `The default strategy "${strategy}" does not exist.`)
}

/** Installed models that the configuration does not name are made when a request names them. */
export const openRegistry = async (
  config: Config,
  log: Logger,
  readSecret: ReadSecret,
): Promise<ModelRegistry> => {
  const catalog = await readCatalog(PACKAGE_ROOT)
  const installed = new InstalledModels(config.modelsFolder)
  const parts: ModelParts = {
    readSecret,
    onnx: createOnnxModel,
    installedFolder: (id) => requireInstalled(installed, id).folder,
    device: config.device,
    onLoaded: (model, { device, reason }) =>
      log.info({ model, device, reason }, 'the model is loaded'),
  }
  for (const model of config.models)
    if (model.adapter === 'onnx' && model.model !== undefined)
      requireInstalled(installed, model.model)
  return new ModelRegistry(
    modelsOf(config, catalog).map((model) => modelSource(model, parts)),
    {
      find: (id) => {
        const found = installed.find(id)
        const prompts = catalog.find((entry) => entry.id === id)?.prompts ?? 'full'
        return found && modelSource({ id, adapter: 'onnx', folder: found.folder, prompts }, parts)
      },
      advice: (id) => adviceFor(id, catalog),
    },
  )
}

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

/** @throws RefineError when the default model or strategy does not exist */
const partsOf = (config: Config, registry: ModelRegistry): Parts => {
  const model = config.defaults.model ?? registry.ids[0]!
  check(registry, config, model)
  return {
    strategies: STRATEGIES,
    models: {
      get: (id) => registry.get(id),
      describe: () => registry.list(),
      ready: () => registry.ready(),
    },
    prompts: promptsFor,
    scorers: createScorers,
    defaults: { ...config.defaults, model },
  }
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
  const { secrets, allowPrivate } = config.webhooks
  const webhooks = { secrets: secrets.map(readWebhookSecret), allowPrivate }
  const registry = await openRegistry(config, log, readSecret)
  const parts = partsOf(config, registry)
  const store = openSqliteStore(config.data)
  const experiments = await Experiments.open({
    store: store.experiments,
    log,
    checkArm: armCheck(parts),
  })
  await experiments.definitions.applyFile(config.experiments)
  const runs = new Runner({
    parts,
    store,
    log,
    limits: config.limits,
    quotas: quotasOf(config),
    webhooks: new WebhookDispatcher({ store: store.deliveries, log, ...webhooks }),
    experiments,
    mayForce: mayForceOf(config),
  })
  const recovered = await runs.recover()
  if (recovered > 0)
    log.warn({ runs: recovered }, 'ended the runs that an earlier process left behind')
  return {
    runs,
    experiments,
    close: async () => {
      await runs.drain(config.limits.drainSeconds)
      await experiments.idle()
      await registry.close()
      await store.close()
    },
  }
}

/** The server around the runs; the caller listens and closes it. */
export const buildServer = (
  { runs, experiments }: Pick<Runs, 'runs' | 'experiments'>,
  config: Config,
  log: Logger,
  version: string,
): Promise<FastifyInstance> =>
  createServer({
    runs,
    experiments,
    log,
    version,
    keys: config.apiKeys.map(({ name, hash }) => ({ name, sha256: hash })),
    origins: config.origins,
    limits: { bodyBytes: config.limits.bodyBytes },
  })
