/**
 * The folder of installed models. Each is a folder with a manifest; what is being worked on lies in `.partial` beside
 * them and appears by a rename, so that no reader ever finds half of a model.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { RefineError, toRefineError } from '../../core/errors.ts'
import type { InstalledModel } from '../../core/model-store.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { checkFile, isSystemError } from '../file-check.ts'
import { withLock } from './lock.ts'
import { MANIFEST, readManifest, writeManifest } from './manifest.ts'
import { folderName, isModelId } from './reference.ts'

const WORK = '.partial'

export interface BrokenModel {
  readonly folder: string
  readonly problem: string
}

export class InstalledModels {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** Complete models by id, and folders whose manifest cannot be read. */
  scan(): { readonly models: readonly InstalledModel[]; readonly broken: readonly BrokenModel[] } {
    if (!existsSync(this.folder)) return { models: [], broken: [] }
    const models: InstalledModel[] = []
    const broken: BrokenModel[] = []
    for (const name of readdirSync(this.folder).toSorted()) {
      const folder = path.join(this.folder, name)
      if (name.startsWith('.') || !existsSync(path.join(folder, MANIFEST))) continue
      try {
        models.push(readManifest(folder))
      } catch (thrown) {
        broken.push({ folder, problem: toRefineError(thrown).message })
      }
    }
    return { models, broken }
  }

  /** @throws RefineError model_failed when it is there but its manifest cannot be read. */
  find(id: string): InstalledModel | undefined {
    if (!isModelId(id)) return undefined
    const folder = path.join(this.folder, folderName(id))
    return existsSync(path.join(folder, MANIFEST)) ? readManifest(folder) : undefined
  }

  /**
   * Compares every file with the size and sum that the manifest holds.
   * @throws RefineError model_failed naming the first that differs.
   */
  async verify({ id, folder, files }: InstalledModel, signal?: AbortSignal): Promise<void> {
    for (const file of files) await checkFile(id, path.join(folder, file.path), file, signal)
  }

  /** The folder where a model is put together; it may hold what an earlier attempt left. */
  workspace(id: string): string {
    return path.join(this.folder, WORK, folderName(id))
  }

  /**
   * Runs the action while no other process works on this model.
   * @throws RefineError conflict while another does; invalid_request when the system refuses to read or write.
   */
  async lock<Result>(id: string, action: () => Promise<Result>): Promise<Result> {
    const work = path.join(this.folder, WORK)
    try {
      makeFolder(work)
      return await withLock(path.join(work, `${folderName(id)}.lock`), `The model ${id}`, action)
    } catch (cause) {
      if (!isSystemError(cause)) throw cause
      throw new RefineError(
        'invalid_request',
        `--models-dir: files in ${this.folder} cannot be written (${cause.message})`,
        { cause },
      )
    }
  }

  /** Makes the workspace the installed model, in place of an older one. The lock must be held. */
  async install(model: Omit<InstalledModel, 'folder' | 'installedAt'>): Promise<InstalledModel> {
    const workspace = this.workspace(model.id)
    const installed = { ...model, folder: workspace, installedAt: new Date().toISOString() }
    await writeManifest(installed)
    const folder = path.join(this.folder, folderName(model.id))
    await this.#discard(folder)
    await rename(workspace, folder)
    return { ...installed, folder }
  }

  /** @throws RefineError unknown_model when it is not there. */
  async remove(id: string): Promise<void> {
    const folder = path.join(this.folder, folderName(id))
    if (!isModelId(id) || !existsSync(folder))
      throw new RefineError(
        'unknown_model',
        `The model "${id}" is not installed in ${this.folder}.`,
      )
    await this.lock(id, () => this.#discard(folder))
  }

  /** By a rename first: an interrupted removal leaves nothing that looks like a model. */
  async #discard(folder: string): Promise<void> {
    if (!existsSync(folder)) return
    const aside = path.join(this.folder, WORK, `removed-${randomUUID()}`)
    await rename(folder, aside)
    await rm(aside, { recursive: true, force: true })
  }
}
