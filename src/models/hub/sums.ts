/** The sums by which a fetched file is known to be the one that the hub lists. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { RemoteFile } from './listing.ts'

export interface Sums {
  readonly sha256: string
  readonly git: string
}

/** Both sums that hubs know, of bytes as they come. */
export class Digest {
  readonly #sha256 = createHash('sha256')
  readonly #git: Hash
  /** Bytes so far. */
  size = 0

  constructor(size: number) {
    this.#git = createHash('sha1').update(`blob ${size}\0`)
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes)
    this.#git.update(bytes)
    this.size += bytes.byteLength
  }

  async read(file: string, signal: AbortSignal): Promise<void> {
    for await (const chunk of createReadStream(file, { signal })) this.update(chunk as Buffer)
  }

  end(): Sums {
    return { sha256: this.#sha256.digest('hex'), git: this.#git.digest('hex') }
  }
}

/** In words; undefined when the file is the right one. */
export const difference = (
  { path: name, sha256, gitSha1 }: RemoteFile,
  sums: Sums,
): string | undefined => {
  if (sha256 !== undefined)
    return sums.sha256 === sha256
      ? undefined
      : `${name} has SHA-256 ${sums.sha256}, expected ${sha256}`
  return sums.git === gitSha1 ? undefined : `${name} has Git SHA-1 ${sums.git}, expected ${gitSha1}`
}
