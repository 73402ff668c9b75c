import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/**
 * Replaces the file in one step, so that nobody reads half of it; what is written meanwhile lies beside it under a name of
 * its own, for others may write the same file. When it fails nothing is left of it.
 * @throws what the texts or the system throw
 */
export const replaceFile = async (
  file: string,
  texts: Iterable<string> | AsyncIterable<string>,
): Promise<void> => {
  const part = `${file}.${randomUUID().slice(0, 8)}.part`
  try {
    await pipeline(texts, createWriteStream(part, { flags: 'wx' }))
    await rename(part, file)
  } catch (cause) {
    await rm(part, { force: true })
    throw cause
  }
}
