/** Reads pieces of large files, with errors that name the file. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { badModelFile } from './tensor-source.ts'

export class BinaryFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly #descriptor: number

  /** @param kind what the file should be, for the error when it cannot be opened */
  constructor(path: string, kind: string) {
    this.path = path
    try {
      this.#descriptor = openSync(path, 'r')
    } catch (cause) {
      throw badModelFile(path, `expected a readable ${kind} file`, cause)
    }
    const status = fstatSync(this.#descriptor)
    if (!status.isFile()) {
      closeSync(this.#descriptor)
      throw badModelFile(path, `expected a ${kind} file, found something else`)
    }
    this.size = status.size
  }

  /** @throws RefineError model_failed when the file ends before. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const count = readSync(this.#descriptor, bytes, done, length - done, offset + done)
      if (count === 0)
        throw badModelFile(this.path, `is cut off: expected ${length} bytes at ${offset}`)
      done += count
    }
    return bytes
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
