/** Fetches one file, resumes where an earlier attempt ended, and keeps it only if its sum is right. */
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RefineError } from '../../core/errors.ts'
import type { InstalledFile } from '../../core/model-store.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { Interruption, type HubConnection } from './connection.ts'
import type { RemoteFile } from './listing.ts'
import { difference, Digest, type Sums } from './sums.ts'

export interface Download {
  readonly hub: HubConnection
  readonly address: URL
  readonly file: RemoteFile
  /** The folder that the file's path is relative to. */
  readonly folder: string
  readonly signal: AbortSignal
  /** Bytes that arrived; negative when some have to be fetched again. */
  readonly onBytes: (count: number) => void
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  )

/** What lies there of a file already, finished or not. */
export const bytesThere = async (folder: string, file: RemoteFile): Promise<number> => {
  const target = path.join(folder, file.path)
  return Math.min(file.size, (await sizeOf(target)) || (await sizeOf(`${target}.partial`)))
}

class PartialFile {
  readonly #download: Download
  readonly #target: string
  readonly #partial: string
  readonly #etagFile: string
  /** Whether bytes of an earlier attempt are part of the file: then a wrong sum deserves a second try. */
  resumed = false
  /** Of what is on the disk, so that it need not be read again after each interruption; undefined before it was read. */
  #digest: Digest | undefined
  #received = 0

  constructor(download: Download) {
    this.#download = download
    this.#target = path.join(download.folder, download.file.path)
    this.#partial = `${this.#target}.partial`
    this.#etagFile = `${this.#partial}.etag`
  }

  /** Whether anything arrived since the last call. */
  readonly progressed = (): boolean => {
    const some = this.#received > 0
    this.#received = 0
    return some
  }

  async prepare(): Promise<void> {
    makeFolder(path.dirname(this.#target))
  }

  /** Sums of the file when it is complete: an earlier pull fetched it. */
  async finished(): Promise<Sums | undefined> {
    const { file, signal } = this.#download
    const found = await stat(this.#target).catch(() => undefined)
    if (found === undefined || found.size !== file.size) return undefined
    const digest = new Digest(file.size)
    await digest.read(this.#target, signal)
    return digest.end()
  }

  /** Fetches what is missing. @throws Interruption when it broke off. */
  async attempt(): Promise<Sums> {
    const { hub, address, file, signal } = this.#download
    let offset = await sizeOf(this.#partial)
    const etag = await readFile(this.#etagFile, 'utf8').catch(() => undefined)
    if (offset > file.size || (offset > 0 && offset < file.size && etag === undefined))
      offset = await this.restart()
    const digest = await this.#digestUpTo(offset)
    this.resumed ||= offset > 0
    if (offset === file.size && offset > 0) return this.#end(digest)
    const headers = offset === 0 ? {} : { range: `bytes=${offset}-`, 'if-range': etag! }
    return hub.open(address, headers, signal, (response, alive) =>
      this.#receive(response, offset, digest, alive),
    )
  }

  async #digestUpTo(offset: number): Promise<Digest> {
    if (this.#digest?.size === offset) return this.#digest
    const digest = new Digest(this.#download.file.size)
    if (offset > 0) await digest.read(this.#partial, this.#download.signal)
    this.#digest = digest
    return digest
  }

  /** A digest that has ended takes no more. */
  #end(digest: Digest): Sums {
    this.#digest = undefined
    return digest.end()
  }

  /** Forgets what was fetched. */
  async restart(): Promise<0> {
    this.#digest = undefined
    const there = await sizeOf(this.#partial)
    this.#download.onBytes(-Math.min(there, this.#download.file.size))
    await rm(this.#partial, { force: true })
    await rm(this.#etagFile, { force: true })
    return 0
  }

  async keep(): Promise<void> {
    const handle = await open(this.#partial, 'r+')
    await handle.sync()
    await handle.close()
    await rename(this.#partial, this.#target)
    await rm(this.#etagFile, { force: true })
  }

  async discard(): Promise<void> {
    await this.restart()
    await rm(this.#target, { force: true })
  }

  async #receive(
    response: Response,
    offset: number,
    digest: Digest,
    alive: () => void,
  ): Promise<Sums> {
    const { file } = this.#download
    if (response.status === 416 || (response.status === 206 && !isRest(response, offset, file))) {
      await this.restart()
      throw this.#brokenOff(`the server does not continue at byte ${offset}`)
    }
    let sums = digest
    if (response.status === 200 && offset > 0) {
      // The file is another than the one we hold a part of.
      await this.restart()
      sums = await this.#digestUpTo(0)
    }
    const etag = response.headers.get('etag')
    // A weak tag promises no equal bytes: without a strong one an interrupted download begins anew.
    if (etag !== null && !etag.startsWith('W/')) await writeFile(this.#etagFile, etag)
    const start = response.status === 206 ? offset : 0
    await this.#write(response, start, sums, alive)
    return this.#end(sums)
  }

  async #write(
    response: Response,
    start: number,
    digest: Digest,
    alive: () => void,
  ): Promise<void> {
    const { file, onBytes } = this.#download
    const handle = await open(this.#partial, 'a')
    let size = start
    try {
      for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>) {
        alive()
        size += bytes.byteLength
        if (size > file.size) break
        await handle.appendFile(bytes)
        digest.update(bytes)
        this.#received += bytes.byteLength
        onBytes(bytes.byteLength)
      }
    } finally {
      await handle.close()
    }
    if (size < file.size) throw this.#brokenOff(`ended after ${size} of ${file.size} bytes`)
    if (size === file.size) return
    await this.discard()
    throw new RefineError(
      'upstream_rejected',
      `${file.path} is longer than the ${file.size} bytes that the hub lists`,
    )
  }

  #brokenOff(why: string): Interruption {
    const { file } = this.#download
    return new Interruption(
      new RefineError(
        'upstream_unavailable',
        `${file.path}: ${why}. What was fetched is kept: pull again to go on.`,
      ),
    )
  }
}

const isRest = (response: Response, offset: number, { size }: RemoteFile): boolean => {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
  if (match === null) return false
  return Number(match[1]) === offset && (match[2] === '*' || Number(match[2]) === size)
}

/**
 * Fetches the file, or finds it there.
 * @throws RefineError model_failed when its sum is wrong, which deletes it; those of `HubConnection`. What was fetched
 *   of it stays, also when the signal aborts, and the next call goes on from there.
 */
export const downloadFile = async (download: Download): Promise<InstalledFile> => {
  const { hub, file, signal } = download
  const partial = new PartialFile(download)
  await partial.prepare()
  const found = await partial.finished()
  if (found !== undefined && difference(file, found) === undefined)
    return { path: file.path, size: file.size, sha256: found.sha256 }
  const fetched = () => hub.persist(() => partial.attempt(), signal, partial.progressed)
  let sums = await fetched()
  if (partial.resumed && difference(file, sums) !== undefined) {
    await partial.restart()
    sums = await fetched()
  }
  const wrong = difference(file, sums)
  if (wrong !== undefined) {
    await partial.discard()
    throw new RefineError('model_failed', `${wrong}. The file was deleted; nothing was installed.`)
  }
  await partial.keep()
  return { path: file.path, size: file.size, sha256: sums.sha256 }
}
