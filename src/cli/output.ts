/** Where commands write to, and with patience: a slow or closed reader is waited for or noticed. */
import type { Readable, Writable } from 'node:stream'

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
  /** Aborts when the reader is gone (`whetstone refine … | head`). */
  readonly gone: AbortSignal
  /** Takes the listeners off again; the stream stays open. */
  release(): void
}

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
    release: () => {
      stream.off('drain', onDrain)
      stream.off('close', onGone)
      // A pipe that breaks after this must still not end the process with a stack trace.
      if (!closed.signal.aborted) stream.off('error', onGone)
    },
  }
}
