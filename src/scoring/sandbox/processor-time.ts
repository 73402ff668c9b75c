/** Processor time of the calling thread: what a program took, however busy the machine is. */
import { readFileSync } from 'node:fs'

/** Milliseconds since the thread began; undefined where the platform does not tell (anywhere but on Linux). */
export const processorTime = (): number | undefined => {
  try {
    const nanoseconds = parseInt(readFileSync('/proc/thread-self/schedstat', 'utf8'), 10)
    // Kernels that keep no such account say 0.
    return nanoseconds > 0 ? nanoseconds / 1e6 : undefined
  } catch {
    return undefined
  }
}
