import { emptyUsage } from '../core/run-state.ts'
import type { Usage } from '../core/event.ts'
import type { Role } from '../core/task.ts'

/** Tokens and money of one call; `written` are the output tokens of all its samples. */
export interface CallUsage {
  readonly calls: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly written: number
  readonly cost: number
}

/** Adds up what the calls of one run took, by role. */
export class UsageAccount {
  readonly #usage = emptyUsage()
  #changed = false

  add(role: Role, call: CallUsage): void {
    const usage = this.#usage
    const own = (usage.by_role[role] ??= { calls: 0, input_tokens: 0, output_tokens: 0 })
    for (const part of [usage, own]) {
      part.calls += call.calls
      part.input_tokens += call.inputTokens
      part.output_tokens += call.written
    }
    usage.cached_tokens += call.cachedTokens
    usage.cost += call.cost
    this.#changed = true
  }

  /** Whether anything was added since the last call of this method. */
  takeChange(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  /** A copy, with the run's wall-clock time filled in. */
  total(seconds: number): Usage {
    return { ...structuredClone(this.#usage), seconds }
  }
}
