/** Follows one run on the terminal, in a log or as JSON lines. */
import { questionOf } from '../core/task.ts'
import type { RunRequest } from '../runs/run-request.ts'
import { taskOf } from '../runs/task-request.ts'
import { printable } from './display-text.ts'
import { lineOf } from './event-lines.ts'
import { LiveDisplay } from './live-display.ts'
import { createWriter, type OutputStream, type Writer } from './output.ts'
import { renderRun } from './render.ts'
import type { RunClient } from './run-client.ts'
import { createView, showEvent, type RunView } from './run-view.ts'

export const EXIT_CODES = { completed: 0, failed: 1, usage: 2, cancelled: 130 } as const

export interface RefineOptions {
  readonly runs: RunClient
  readonly request: RunRequest
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Whether to draw the live view; otherwise the log goes to `stderr` and the answer alone to `stdout`. */
  readonly isTerminal: boolean
  readonly color: boolean
  /** Prints the events as JSON lines and nothing else. */
  readonly json: boolean
  /** Cancels the run; its best answer so far is still shown. */
  readonly signal: AbortSignal
  /** Milliseconds that a cancelled run may take to tell its answer. */
  readonly grace?: number
}

/** How one of the three forms shows a run. `end` is called once, also after a failure. */
interface Display {
  show(event: Parameters<typeof showEvent>[1]): Promise<void>
  end(): Promise<void>
}

const jsonDisplay = (out: Writer): Display => ({
  show: (event) => out.write(`${JSON.stringify(event)}\n`),
  end: () => Promise.resolve(),
})

const logDisplay = (view: RunView, out: Writer, log: Writer): Display => ({
  show: async (event) => {
    const before = view.run?.last_sequence
    showEvent(view, event)
    if (view.run === undefined || view.run.last_sequence === before) return
    const line = lineOf(event, view.run)
    if (line !== undefined) await log.write(`${line}\n`)
  },
  end: async () => {
    const text = view.run?.answer?.text
    if (text !== undefined) await out.write(`${printable(text).trimEnd()}\n`)
  },
})

const liveDisplay = (view: RunView, out: Writer, options: RefineOptions): Display => {
  const { stdout, color } = options
  const live = new LiveDisplay(stdout, view, color)
  return {
    show: (event) => {
      showEvent(view, event)
      live.update()
      return Promise.resolve()
    },
    end: async () => {
      live.close()
      if (view.run === undefined) return
      const size = { columns: stdout.columns ?? 80, rows: Infinity }
      await out.write(`${renderRun(view, size, color).join('\n')}\n`)
    },
  }
}

interface Stopping {
  /** Aborts when the events need no longer be waited for. */
  readonly signal: AbortSignal
  release(): void
}

/** The first abort asks the run to end; when it has not by the end of the grace, its events are left. */
const createStopping = (options: RefineOptions, runId: () => string | undefined): Stopping => {
  const stop = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    const id = runId()
    if (id === undefined) return stop.abort()
    timer = setTimeout(() => stop.abort(), options.grace ?? 5000)
    options.runs.cancel(id).catch(() => stop.abort())
  }
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()
  return {
    signal: stop.signal,
    release: () => {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', onAbort)
    },
  }
}

interface Ending {
  id: string | undefined
  type: string | undefined
}

const exitCode = ({ type }: Ending, wasStopped: boolean): number => {
  if (type === 'run.completed') return EXIT_CODES.completed
  return wasStopped || type === 'run.cancelled' ? EXIT_CODES.cancelled : EXIT_CODES.failed
}

const displayOf = (options: RefineOptions, out: Writer, log: Writer): Display => {
  if (options.json) return jsonDisplay(out)
  const view = createView(questionOf(taskOf(options.request)))
  return options.isTerminal ? liveDisplay(view, out, options) : logDisplay(view, out, log)
}

/**
 * Runs a request to its end and shows it. Resolves with the exit code: 0 completed, 1 failed, 130 cancelled.
 * @throws RefineError when the run could not be started, its events were lost, or it cannot be written.
 */
export const runRefine = async (options: RefineOptions): Promise<number> => {
  const [out, log] = [createWriter(options.stdout), createWriter(options.stderr)]
  const ending: Ending = { id: undefined, type: undefined }
  const stopping = createStopping(options, () => ending.id)
  const signal = AbortSignal.any([stopping.signal, out.gone])
  const display = displayOf(options, out, log)
  try {
    try {
      for await (const event of options.runs.start(options.request, signal)) {
        ending.id = event.run_id
        ending.type = event.type
        await display.show(event)
      }
    } finally {
      await display.end()
    }
    await out.flushed()
    return exitCode(ending, options.signal.aborted || signal.aborted)
  } finally {
    stopping.release()
    out.release()
    log.release()
  }
}
