/** The models on this machine's disk: those of the catalogue, those pulled from a hub and those imported. */
import { RefineError } from '../core/errors.ts'
import type { InstalledModel, ModelStore, PullRequest } from '../core/model-store.ts'
import type { CatalogEntry } from './catalog.ts'
import { HubConnection, type HubOptions } from './hub/connection.ts'
import { importModel } from './hub/import.ts'
import { InstalledModels } from './hub/installed-models.ts'
import { findOffline, pullModel, type CheckpointChecks, type Pull } from './hub/pull.ts'
import { checkModelId, isModelId, parseReference } from './hub/reference.ts'

export interface ModelStoreOptions {
  readonly folder: string
  readonly hub: HubOptions & { readonly offline: boolean }
  readonly catalog: readonly CatalogEntry[]
  readonly checks: CheckpointChecks
  readonly freeBytes?: (folder: string) => Promise<number>
}

/** What a reference stands for. @throws RefineError invalid_request where it cannot be pulled. */
const readPull = (request: PullRequest, catalog: readonly CatalogEntry[]): Pull => {
  const reference = parseReference(request.reference)
  const entry = catalog.find(({ id }) => id === reference.id)
  if (entry !== undefined && entry.repository === undefined)
    throw new RefineError(
      'invalid_request',
      `${entry.id} comes with the program: there is nothing to pull.`,
    )
  const repository = entry?.repository ?? reference.id
  if (!repository.includes('/'))
    throw new RefineError(
      'invalid_request',
      `"${repository}" is neither in the catalogue (${catalog.map(({ id }) => id).join(', ')}) nor a repository as in owner/name`,
      { param: 'model' },
    )
  return {
    id: request.id === undefined ? reference.id : checkModelId(request.id, '--id'),
    repository,
    revision: reference.revision ?? 'main',
    file: request.file,
  }
}

/** @throws RefineError invalid_request for an endpoint that is no http address. */
export const createModelStore = (options: ModelStoreOptions): ModelStore => {
  const { hub: hubOptions, catalog, checks, freeBytes } = options
  const models = new InstalledModels(options.folder)
  const hub = new HubConnection(hubOptions)
  return {
    folder: models.folder,
    list: () => models.scan().models,
    pull: async (request, call) => {
      const pull = readPull(request, catalog)
      if (hubOptions.offline) return findOffline(models, pull)
      return pullModel({ hub, models, checks, ...(freeBytes && { freeBytes }) }, pull, call)
    },
    import: (request, call) => importModel(models, checks, request, call),
    remove: (id) => models.remove(id),
  }
}

/** What somebody who named this model can do to have it; empty where we know nothing of it. */
export const adviceFor = (id: string, catalog: readonly CatalogEntry[]): string => {
  const known = catalog.some((entry) => entry.id === id && entry.repository !== undefined)
  return known || (isModelId(id) && id.includes('/'))
    ? `If it is on the hub, install it with: whetstone pull ${id}`
    : ''
}

/** @throws RefineError unknown_model with the command that installs it. */
export const requireInstalled = (models: InstalledModels, id: string): InstalledModel => {
  const found = models.find(id)
  if (found !== undefined) return found
  throw new RefineError(
    'unknown_model',
    `The model ${id} is not installed in ${models.folder}. Install it with: whetstone pull ${id}`,
    { param: 'model' },
  )
}
