/** Puts the models together: those of the configuration, of the catalogue and of this machine's disk. */
import path from 'node:path'
import type { Config } from './config.ts'
import type { ModelStore } from './core/model-store.ts'
import { includedModels, readCatalog, type CatalogEntry } from './models/catalog.ts'
import { InstalledModels } from './models/hub/installed-models.ts'
import type { ModelConfig } from './models/model-config.ts'
import { modelSource, type ModelParts } from './models/model-factory.ts'
import { adviceFor, createModelStore, requireInstalled } from './models/model-store.ts'
import { CHECKPOINT_CHECKS } from './models/onnx/checks.ts'
import { createOnnxModel } from './models/onnx.ts'
import { ModelRegistry } from './models/registry.ts'
import type { createLog } from './telemetry/log.ts'

type Logger = ReturnType<typeof createLog>

export type ReadSecret = (name: string) => string | undefined

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
    onnx: (options) => createOnnxModel({ ...options, onWarning: (message) => log.warn(message) }),
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
