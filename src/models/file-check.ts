/** Whether a file is still what it was: its size and its sum. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { RefineError } from '../core/errors.ts'

/** Whether the system refused to read or write: a full disk, a missing permission. */
export const isSystemError = (thrown: unknown): thrown is Error =>
  thrown instanceof Error && 'syscall' in thrown

/** SHA-256 of a file, in hex. */
export const sha256Of = async (file: string, signal?: AbortSignal): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash, { ...(signal && { signal }) })
  return hash.digest('hex')
}

/**
 * Compares a file of the model `id` with what is known of it.
 * @throws RefineError model_failed saying what differs.
 */
export const checkFile = async (
  id: string,
  file: string,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
  signal?: AbortSignal,
): Promise<void> => {
  const wrong = (what: string, cause?: unknown): RefineError =>
    new RefineError('model_failed', `${id}: ${file} ${what}`, { cause })
  const found = await stat(file).catch((cause: unknown) => {
    throw wrong('cannot be read', cause)
  })
  if (found.size !== size) throw wrong(`has ${found.size} bytes, expected ${size}`)
  const actual = await sha256Of(file, signal)
  if (actual !== sha256) throw wrong(`has SHA-256 ${actual}, expected ${sha256}`)
}
