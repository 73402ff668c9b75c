/** A line of `runs.jsonl`: the final JSON of a run, and what its events told that it does not hold. */
import { createHash } from 'node:crypto'
import { isTerminal, type RunEvent } from '../core/event.ts'
import { reduceRun, type RunState } from '../core/run-state.ts'
import type { RunRequest } from '../runs/run-request.ts'

/** Which run it is, within an evaluation. */
export interface RunKey {
  readonly arm: string
  readonly item: string
  /** Counted from 0. */
  readonly repeat: number
}

export const keyText = ({ arm, item, repeat }: RunKey): string =>
  JSON.stringify([arm, item, repeat])

/**
 * When a candidate became the answer. `tokens` are those of the next account the run gave, so that a call that
 * wrote several samples at once counts as a whole.
 */
export interface Moment {
  readonly candidate: number
  readonly revision: number
  readonly seconds: number
  readonly tokens: number
}

export interface ComparisonRecord {
  readonly candidates: readonly number[]
  readonly winner: number | null
  /** Winner in each order of presentation. */
  readonly orders: readonly (number | null)[]
}

export interface RunRecord extends RunKey {
  /** Of the request: a run is only taken over by an evaluation that would have asked the same. */
  readonly request_hash: string
  readonly moments: readonly Moment[]
  readonly comparisons: readonly ComparisonRecord[]
  readonly verdicts: readonly { readonly candidate: number; readonly verdict: 'right' | 'wrong' }[]
  readonly run: RunState
}

export const requestHash = (request: RunRequest): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16)

/** Takes up the events of one run. */
export class RunRecorder {
  readonly #moments: Moment[] = []
  readonly #comparisons: ComparisonRecord[] = []
  readonly #verdicts: RunRecord['verdicts'][number][] = []
  #unaccounted: Omit<Moment, 'tokens'>[] = []
  #state: RunState | undefined
  #startedAt = 0

  observe(event: RunEvent): void {
    const wasQueued = this.#state?.status === 'queued'
    this.#state = reduceRun(this.#state, event)
    if (wasQueued) this.#startedAt = Date.parse(event.at)
    this.#keep(event)
    if (isTerminal(event)) this.#account(event.usage.input_tokens + event.usage.output_tokens)
  }

  /** The whole record, or undefined while the run has not ended. */
  record(key: RunKey, request: RunRequest): RunRecord | undefined {
    const run = this.#state
    if (run === undefined || run.ended_at === null) return undefined
    return {
      ...key,
      request_hash: requestHash(request),
      moments: this.#moments,
      comparisons: this.#comparisons,
      verdicts: this.#verdicts,
      run,
    }
  }

  #keep(event: RunEvent): void {
    if (event.type === 'answer.revised') {
      const { candidate, revision } = event
      const seconds = Math.max(0, Date.parse(event.at) - this.#startedAt) / 1000
      this.#unaccounted.push({ candidate, revision, seconds })
    } else if (event.type === 'budget.updated') {
      this.#account(event.spent.tokens)
    } else if (event.type === 'comparison.completed') {
      const { candidates, winner, orders } = event
      this.#comparisons.push({ candidates, winner, orders: orders.map((order) => order.winner) })
    } else if (event.type === 'critique.completed' && event.verdict !== undefined) {
      this.#verdicts.push({ candidate: event.candidate, verdict: event.verdict })
    }
  }

  #account(tokens: number): void {
    this.#moments.push(...this.#unaccounted.map((moment) => ({ ...moment, tokens })))
    this.#unaccounted = []
  }
}
