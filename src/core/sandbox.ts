/** Port to a place where the programs of models run without reaching anything. The adapter lives in `scoring/sandbox`. */
import type { CallOptions } from './language-model.ts'

export interface Outcome {
  /** What the program printed, line by line, and behind it the value of its last expression; cut at 10,000 characters. */
  readonly output: string
  /** Why it did not end well: its own exception, too long, too much memory. */
  readonly error: string | undefined
}

export interface Sandbox {
  /**
   * Runs a JavaScript program: no modules, no I/O, no clock to wait on, limited time and memory. Waits its turn.
   * @throws the signal's reason when it aborts; RefineError scorer_unavailable when the sandbox was closed.
   */
  run(program: string, options: CallOptions): Promise<Outcome>
  close(): Promise<void>
}
