/** `runs.jsonl`: every finished run is one line, so that an evaluation that was cut off goes on where it was. */
import { open, type FileHandle } from 'node:fs/promises'
import { RefineError } from '../core/errors.ts'
import { linesOf } from '../core/lines.ts'
import type { RunRecord } from './record.ts'

const NEWLINE = 0x0a
const CHUNK = 65_536

/** Bytes up to the end of the last whole line. */
const wholeLength = async (file: FileHandle): Promise<number> => {
  let { size: end } = await file.stat()
  const buffer = Buffer.alloc(CHUNK)
  while (end > 0) {
    const start = Math.max(0, end - CHUNK)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    const found = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE)
    if (found >= 0) return start + found + 1
    end = start
  }
  return 0
}

const parse = (text: string, place: string): RunRecord => {
  try {
    const record = JSON.parse(text) as RunRecord
    if (typeof record.arm === 'string' && typeof record.run?.status === 'string') return record
  } catch {
    // told below, like any other line that is not a run
  }
  throw new RefineError('invalid_request', `${place} is not a run of an evaluation.`)
}

/**
 * The runs of the file, which is left as it is; a last line that was only half written is passed over.
 * @throws RefineError invalid_request naming a line that is not a run.
 */
export async function* readJournal(path: string): AsyncGenerator<RunRecord, void, void> {
  const handle = await open(path)
  try {
    const length = await wholeLength(handle)
    if (length === 0) return
    let number = 0
    const text = handle.createReadStream({ start: 0, end: length - 1, autoClose: false })
    for await (const line of linesOf(text)) {
      number++
      if (line !== '') yield parse(line, `${path}, line ${number},`)
    }
  } finally {
    await handle.close()
  }
}

export class Journal {
  readonly #path: string
  readonly #file: FileHandle
  #written: Promise<void> = Promise.resolve()

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  /** Opens or creates the file; a last line that was only half written is cut off. The caller closes it. */
  static async open(path: string): Promise<Journal> {
    const file = await open(path, 'a+')
    try {
      await file.truncate(await wholeLength(file))
      return new Journal(path, file)
    } catch (cause) {
      await file.close()
      throw cause
    }
  }

  /** @throws RefineError invalid_request naming a line that is not a run. */
  records(): AsyncGenerator<RunRecord, void, void> {
    return readJournal(this.#path)
  }

  /** Resolves when the line is in the file; lines are written one after the other. */
  append(record: RunRecord): Promise<void> {
    const line = `${JSON.stringify(record)}\n`
    const written = this.#written.then(() => this.#file.appendFile(line))
    this.#written = written.catch(() => undefined)
    return written
  }

  async close(): Promise<void> {
    await this.#written
    await this.#file.close()
  }
}
