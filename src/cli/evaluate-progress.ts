/** The line that tells how far an evaluation is. */
import type { Progress } from '../evaluation/evaluate.ts'
import { duration, percent } from '../evaluation/report/format.ts'
import { clipEnd } from './display-text.ts'
import type { OutputStream } from './output.ts'

/** Done and total, rate, time left and the accuracy of each arm so far; `seconds` since this process began. */
export const progressLine = (progress: Progress, seconds: number): string => {
  const { total, done, resumed, arms } = progress
  const made = done - resumed
  const rate = seconds > 0 ? made / seconds : 0
  const left = made === 0 ? 'unknown' : duration((total - done) / rate)
  const accuracies = [...arms].map(
    ([name, { runs, right }]) => `${name} ${runs === 0 ? '–' : percent(right / runs)}`,
  )
  return `${done}/${total} runs · ${rate.toFixed(1)}/s · left ${left} · right %: ${accuracies.join(', ')}`
}

/** Milliseconds between two lines: often on a terminal, where they replace each other, seldom in a log. */
const TERMINAL_PAUSE = 100
const LOG_PAUSE = 10_000

export interface ProgressDisplay {
  show(progress: Progress): void
  /** Leaves the last line standing. */
  end(): void
}

/** Shows at most one line a pause, and the last one always. `clock` gives milliseconds. */
export const createProgressDisplay = (
  stream: OutputStream,
  clock: () => number,
): ProgressDisplay => {
  const isTerminal = stream.isTTY === true
  const start = clock()
  let shownAt = -Infinity
  let latest: Progress | undefined
  const write = (progress: Progress): void => {
    const line = progressLine(progress, (clock() - start) / 1000)
    shownAt = clock()
    latest = undefined
    // A reader that is slow misses lines; nothing waits in memory for it.
    if (stream.writableNeedDrain) return
    stream.write(
      isTerminal ? `\r${clipEnd(line, (stream.columns ?? 80) - 1)}\u001b[K` : `${line}\n`,
    )
  }
  return {
    show: (progress) => {
      latest = progress
      if (clock() - shownAt >= (isTerminal ? TERMINAL_PAUSE : LOG_PAUSE)) write(progress)
    },
    end: () => {
      if (latest !== undefined) write(latest)
      if (isTerminal) stream.write('\n')
    },
  }
}
