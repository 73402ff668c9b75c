/** Fetches a model from a hub: what belongs to it, in parallel, verified, and installed as a whole or not at all. */
import { readFile, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RefineError } from '../../core/errors.ts'
import type { InstalledFile, InstalledModel, StoreCall } from '../../core/model-store.ts'
import { makeFolder } from '../../files/make-folder.ts'
import type { HubConnection } from './connection.ts'
import { bytesThere, downloadFile } from './download.ts'
import type { InstalledModels } from './installed-models.ts'
import { fetchListing, type Listing, type RemoteFile } from './listing.ts'
import { selectFiles, type Selection } from './selection.ts'

/** What makes sure that a folder is a model that can run, before it is installed. */
export interface CheckpointChecks {
  /** The configuration, the tokenizer and the chat template. @throws RefineError naming the file. */
  readonly settings: (folder: string) => Promise<void>
  /** Loads it. @throws RefineError naming what is missing. */
  readonly load: (folder: string) => Promise<void>
}

export interface PullParts {
  readonly hub: HubConnection
  readonly models: InstalledModels
  readonly checks: CheckpointChecks
  /** Bytes that may still be written below a folder; asks the system when absent. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

export interface Pull {
  readonly id: string
  readonly repository: string
  readonly revision: string
  /** The weights wished for. */
  readonly file: string | undefined
}

const PARALLEL_FILES = 4
/** Left free for everything else on the disk. */
const SPARE_BYTES = 64 * 1024 * 1024
const COMMIT = '.commit'

const systemFreeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const sum = (files: readonly RemoteFile[]): number =>
  files.reduce((total, { size }) => total + size, 0)

class Puller {
  readonly #parts: PullParts
  readonly #pull: Pull
  readonly #call: StoreCall
  readonly #workspace: string

  constructor(parts: PullParts, pull: Pull, call: StoreCall) {
    this.#parts = parts
    this.#pull = pull
    this.#call = call
    this.#workspace = parts.models.workspace(pull.id)
  }

  async run(): Promise<InstalledModel> {
    const { hub, models, checks } = this.#parts
    const { id, repository, revision, file } = this.#pull
    const listing = await fetchListing(hub, repository, revision, this.#call.signal)
    const chosen = selectFiles(listing.files, file, repository)
    const there = this.#installed(listing, chosen)
    if (there !== undefined) return there
    this.#explain(chosen)
    await this.#prepare(listing.commit)
    await this.#plan([...chosen.settings, ...chosen.weights])
    const settings = await this.#fetch(listing, chosen.settings)
    // An architecture we do not know is told before its weights are fetched.
    const isAlone = chosen.settings.length === 0
    if (!isAlone) await checks.settings(this.#workspace)
    const weights = await this.#fetch(listing, chosen.weights)
    if (isAlone) await checks.settings(this.#workspace)
    await rm(path.join(this.#workspace, COMMIT))
    const origin = {
      kind: 'hub',
      endpoint: hub.endpoint.origin,
      repository,
      revision,
      commit: listing.commit,
    } as const
    return models.install({ id, origin, files: [...settings, ...weights] })
  }

  /** What is installed already, when it is of this commit and has these weights. */
  #installed({ commit }: Listing, chosen: Selection<RemoteFile>): InstalledModel | undefined {
    const found = this.#parts.models.find(this.#pull.id)
    if (found?.origin.kind !== 'hub' || found.origin.commit !== commit) return undefined
    const held = new Set(found.files.map(({ path: name }) => name))
    if (!chosen.weights.every(({ path: name }) => held.has(name))) return undefined
    this.#note(`${found.id} is installed already, at commit ${commit.slice(0, 12)}.`)
    return found
  }

  #explain({ weights, others }: Selection<RemoteFile>): void {
    if (weights.length === 1 && others.length > 0 && this.#pull.file === undefined)
      this.#note(`Takes ${weights[0]!.path}; --file chooses another of: ${others.join(', ')}`)
  }

  /** Keeps what an interrupted pull of the same commit left, and nothing else. */
  async #prepare(commit: string): Promise<void> {
    const mark = path.join(this.#workspace, COMMIT)
    const left = await readFile(mark, 'utf8').catch(() => undefined)
    if (left !== commit) await rm(this.#workspace, { recursive: true, force: true })
    makeFolder(this.#workspace)
    await writeFile(mark, commit)
  }

  /** @throws RefineError invalid_request when the disk is too full. */
  async #plan(files: readonly RemoteFile[]): Promise<void> {
    const held = await Promise.all(files.map((file) => bytesThere(this.#workspace, file)))
    const done = held.reduce((total, count) => total + count, 0)
    const bytes = sum(files)
    const free = await (this.#parts.freeBytes ?? systemFreeBytes)(this.#workspace)
    if (bytes - done + SPARE_BYTES > free)
      throw new RefineError(
        'invalid_request',
        `--models-dir: ${megabytes(bytes - done)} are to be fetched, but only ${megabytes(free)} are free in ${this.#parts.models.folder}`,
      )
    this.#call.report({ type: 'plan', files: files.length, bytes, done })
  }

  /** A few at a time; the first failure stops the others, whose parts stay. */
  async #fetch({ commit }: Listing, files: readonly RemoteFile[]): Promise<InstalledFile[]> {
    const { hub } = this.#parts
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#call.signal, stop.signal])
    const results: InstalledFile[] = []
    const queue = files.map((file, index) => ({ file, index }))
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { file, index } = next
        results[index] = await downloadFile({
          hub,
          address: hub.address([this.#pull.repository, 'resolve', commit, file.path]),
          file,
          folder: this.#workspace,
          signal,
          onBytes: (count) => this.#call.report({ type: 'bytes', count }),
        })
        this.#call.report({ type: 'file', path: file.path, size: file.size })
      }
    }
    const workers = Array.from({ length: Math.min(PARALLEL_FILES, files.length) }, () =>
      work().catch((thrown: unknown) => {
        stop.abort(thrown)
        throw thrown
      }),
    )
    const ended = await Promise.allSettled(workers)
    this.#call.signal.throwIfAborted()
    if (ended.some(({ status }) => status === 'rejected')) throw stop.signal.reason
    return results
  }

  #note(text: string): void {
    this.#call.report({ type: 'note', text })
  }
}

/**
 * Fetches and installs a model. Where it breaks off, for whatever reason, the next pull goes on from there.
 * @throws RefineError of the hub, of a file that is not what it should be, of a full disk, of a model that cannot run;
 *   the signal's reason when it aborts. Nothing is installed then.
 */
export const pullModel = (parts: PullParts, pull: Pull, call: StoreCall): Promise<InstalledModel> =>
  parts.models.lock(pull.id, () => new Puller(parts, pull, call).run())

/**
 * What a pull gives without a network: the model when it is installed.
 * @throws RefineError unknown_model saying what is missing.
 */
export const findOffline = (models: InstalledModels, { id, revision }: Pull): InstalledModel => {
  const found = models.find(id)
  const command = `whetstone pull ${id}${revision === 'main' ? '' : `@${revision}`}`
  if (found === undefined)
    throw new RefineError(
      'unknown_model',
      `Offline, and ${id} is not in ${models.folder}: run "${command}" where there is a network, or import it from a disk.`,
    )
  const { origin } = found
  if (origin.kind === 'hub' && ![origin.revision, origin.commit].includes(revision))
    throw new RefineError(
      'unknown_model',
      `Offline, and ${id} is installed at revision ${origin.revision} (${origin.commit.slice(0, 12)}) only; ${revision} needs a network.`,
    )
  return found
}
