/**
 * The folder of installed models. Each is a folder with a manifest; what is being worked on lies in `.partial` beside
 * them and appears by a rename, so that no reader ever finds half of a model.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, existsSync, readdirSync } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { RefineError, toRefineError } from '../../core/errors.ts'
import type { InstalledModel } from '../../core/model-store.ts'
import { withLock } from './lock.ts'
import { MANIFEST, readManifest, writeManifest } from './manifest.ts'
import { folderName, isModelId } from './reference.ts'

const WORK = '.partial'

export interface BrokenModel {
  readonly folder: string
  readonly problem: string
}

/** SHA-256 of a file, in hex. */
export const sha256Of = async (file: string, signal?: AbortSignal): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash, { ...(signal && { signal }) })
  return hash.digest('hex')
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
    for (const { path: name, size, sha256 } of files) {
      const file = path.join(folder, name)
      const wrong = (what: string, cause?: unknown): RefineError =>
        new RefineError('model_failed', `${id}: ${file} ${what}`, { cause })
      const found = await stat(file).catch((cause: unknown) => {
        throw wrong('cannot be read', cause)
      })
      if (found.size !== size) throw wrong(`has ${found.size} bytes, expected ${size}`)
      const actual = await sha256Of(file, signal)
      if (actual !== sha256) throw wrong(`has SHA-256 ${actual}, expected ${sha256}`)
    }
  }

  /** The folder where a model is put together; it may hold what an earlier attempt left. */
  workspace(id: string): string {
    return path.join(this.folder, WORK, folderName(id))
  }

  /**
   * Runs the action while no other process works on this model.
   * @throws RefineError conflict while another does; invalid_request when the folder cannot be written.
   */
  async lock<Result>(id: string, action: () => Promise<Result>): Promise<Result> {
    const work = path.join(this.folder, WORK)
    try {
      await mkdir(work, { recursive: true })
    } catch (cause) {
      throw new RefineError(
        'invalid_request',
        `--models-dir: ${this.folder} cannot be written (${(cause as Error).message})`,
        { cause },
      )
    }
    return withLock(path.join(work, `${folderName(id)}.lock`), `The model ${id}`, action)
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
