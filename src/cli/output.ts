/** Where commands write to, and with patience: a slow or closed reader is waited for or noticed. */
import type { Readable, Writable } from 'node:stream'
import { RefineError } from '../core/errors.ts'

/** Standard output as Node gives it: a terminal where `isTTY` says so. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** What a command sees of the process. */
export interface CommandIo {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts on Ctrl-C or a request to stop. */
  readonly signal: AbortSignal
}

export interface Writer {
  /** Resolves when more may be written; at once when the reader is gone. */
  write(text: string): Promise<void>
  /**
   * Resolves when all is written, or the reader is gone.
   * @throws RefineError when it cannot be written, as on a full disk
   */
  flushed(): Promise<void>
  /** Aborts when the reader is gone (`whetstone refine … | head`). */
  readonly gone: AbortSignal
  /** Takes the listeners off again; the stream stays open. */
  release(): void
}

/** A reader may leave whenever it has enough. */
const hasLeft = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'EPIPE' || error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_DESTROYED'

/** Waits for `drain` where the stream asks for it. A broken pipe ends the writing quietly. */
export const createWriter = (stream: Writable): Writer => {
  const closed = new AbortController()
  let wake = (): void => undefined
  const onDrain = (): void => wake()
  const onGone = (): void => {
    closed.abort()
    wake()
  }
  stream.on('drain', onDrain)
  stream.on('error', onGone)
  stream.on('close', onGone)
  return {
    gone: closed.signal,
    write: async (text) => {
      if (closed.signal.aborted || stream.write(text)) return
      await new Promise<void>((resolve) => {
        wake = resolve
        if (closed.signal.aborted || !stream.writableNeedDrain) resolve()
      })
    },
    flushed: async () => {
      const failure = await new Promise<Error | null | undefined>((resolve) =>
        stream.write('', (error) => resolve(stream.errored ?? error)),
      )
      if (!failure) return
      // It is told once more, as an event, when nobody listens any longer.
      stream.on('error', () => undefined)
      if (hasLeft(failure)) return
      const message = `The output cannot be written: ${failure.message}`
      throw new RefineError('invalid_request', message, { cause: failure })
    },
    release: () => {
      stream.off('drain', onDrain)
      stream.off('close', onGone)
      // A pipe that breaks after this must still not end the process with a stack trace.
      if (!closed.signal.aborted) stream.off('error', onGone)
    },
  }
}

/**
 * Resolves when all is written, or the reader is gone; the stream stays open.
 * @throws RefineError when it cannot be written, as on a full disk, or what the texts throw.
 */
export const writeAll = async (
  stream: Writable,
  texts: Iterable<string> | AsyncIterable<string>,
): Promise<void> => {
  const writer = createWriter(stream)
  try {
    for await (const text of texts) {
      await writer.write(text)
      if (writer.gone.aborted) break
    }
    await writer.flushed()
  } finally {
    writer.release()
  }
}
