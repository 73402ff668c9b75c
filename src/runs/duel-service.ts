/**
 * Fights the duels of experiments in the background: the other arm answers the prompt of a run that has ended, and a judge
 * compares. What is open survives the process and is fought by the next. Users come first: nothing is begun while runs wait.
 */
import { BudgetSpent } from '../core/budget.ts'
import { RefineError } from '../core/errors.ts'
import type { DuelOutcome } from '../core/experiment-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { RunRecord, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Challenge } from '../experiments/duel-book.ts'
import type { Experiments } from '../experiments/experiments.ts'
import { withArm } from './assignment-plan.ts'
import { judgeDuel } from './duel-judge.ts'
import { HiddenRuns } from './hidden-run.ts'
import type { Parts } from './plan.ts'
import type { RunRequest } from './run-request.ts'
import type { RunLoad } from './run-service.ts'
import { taskOf } from './task-request.ts'

export interface DuelServiceOptions {
  readonly parts: Parts
  readonly store: RunStore
  readonly experiments: Pick<Experiments, 'duels'>
  readonly log: Log
  readonly load: () => RunLoad
  /** Milliseconds before what failed for a passing reason is tried again. Default: 30 000. */
  readonly retryDelay?: number
}

const MOST_ATTEMPTS = 3

/** What an attempt took so far. */
interface Spending {
  other: number
  judge: number
}

/** Wishes of the caller that are not for the answer. */
const NOT_FOR_THE_ANSWER: ReadonlySet<string> = new Set([
  'stream',
  'background',
  'webhook',
  'on_disconnect',
  'grace_seconds',
  'metadata',
])

/** The request of the run that was shown, made to the other arm. */
const requestTo = (
  { request, state }: RunRecord,
  { arm, left }: Challenge,
): RunRequest & { readonly seed: number } => {
  const asked = Object.entries(request as RunRequest).filter(
    ([name]) => !NOT_FOR_THE_ANSWER.has(name),
  )
  const complete = withArm(Object.fromEntries(asked) as RunRequest, arm)
  const cost = Math.min(complete.budget?.cost ?? Infinity, left)
  return {
    ...complete,
    seed: state.seed,
    metadata: { duel_of: state.id },
    ...(cost < Infinity && { budget: { ...complete.budget, cost } }),
  }
}

const isCutShort = ({ stop_reason: reason, error }: RunState): boolean =>
  reason === 'budget' || error?.code === 'budget_too_small'

export class DuelService {
  readonly #options: DuelServiceOptions
  readonly #hidden: HiddenRuns
  readonly #stop = new AbortController()
  /** Under way, by the run that was shown, with the key of the experiment. */
  readonly #active = new Map<string, string>()
  /** Fights that ended since open duels were last asked for: they may still be on the list. */
  readonly #ended = new Set<string>()
  readonly #fights = new Set<Promise<void>>()
  #looking: Promise<void> | undefined
  #isWokenAgain = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: DuelServiceOptions) {
    this.#options = options
    this.#hidden = new HiddenRuns(options.parts, options.store, options.log)
  }

  /** Something may be there to be fought: called when a run has ended, and once at the start. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#isWokenAgain = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      if (this.#isWokenAgain) this.wake()
    })
  }

  /** Resolves when nothing is under way and nothing left to begin. */
  async idle(): Promise<void> {
    while (this.#looking !== undefined || this.#fights.size > 0) {
      await this.#looking
      await Promise.all(this.#fights)
    }
  }

  /** Breaks off what is under way; it stays open for the next process. */
  async close(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#timer)
    await this.idle()
  }

  async #look(): Promise<void> {
    while (this.#isWokenAgain && !this.#stop.signal.aborted) {
      this.#isWokenAgain = false
      this.#ended.clear()
      try {
        const challenges = await this.#options.experiments.duels.challenges()
        for (const challenge of challenges) this.#begin(challenge)
      } catch (cause) {
        this.#options.log.error({ err: cause }, 'open duels could not be read')
        this.#wakeLater()
      }
    }
  }

  #begin(challenge: Challenge): void {
    const { duel, concurrency } = challenge
    const { key } = challenge.experiment
    if (this.#active.has(duel.runId) || this.#ended.has(duel.runId)) return
    if (this.#options.load().waiting > 0) return
    const now = [...this.#active.values()].filter((other) => other === key).length
    if (now >= concurrency || this.#stop.signal.aborted) return
    this.#active.set(duel.runId, key)
    const fight = this.#fight(challenge).finally(() => {
      this.#active.delete(duel.runId)
      this.#fights.delete(fight)
    })
    this.#fights.add(fight)
  }

  async #fight(challenge: Challenge): Promise<void> {
    const { log, experiments } = this.#options
    const spending: Spending = { other: 0, judge: 0 }
    try {
      const shown = await this.#options.store.read(challenge.duel.runId)
      // Its end is not stored yet: it wakes us when it is.
      if (shown?.state.ended_at === null) return
      const outcome = await this.#outcome(challenge, shown, spending)
      if (outcome === undefined) {
        await experiments.duels.giveUp(challenge.duel, spending.other, spending.judge)
        return this.#wakeLater()
      }
      await experiments.duels.close(challenge.duel, outcome)
      this.#ended.add(challenge.duel.runId)
      this.wake()
    } catch (cause) {
      log.error({ err: cause, run_id: challenge.duel.runId }, 'a duel could not be fought')
      this.#wakeLater()
    }
  }

  /** Undefined when it should be tried again. */
  async #outcome(
    challenge: Challenge,
    shown: RunRecord | undefined,
    spending: Spending,
  ): Promise<DuelOutcome | undefined> {
    const { duel } = challenge
    const before =
      duel.otherRunId === null ? undefined : await this.#options.store.read(duel.otherRunId)
    spending.other += before?.state.usage.cost ?? 0
    const ended = (end: DuelOutcome['end'], lengthDifference = 0): DuelOutcome => ({
      end,
      lengthDifference,
      servedCost: shown?.state.usage.cost ?? 0,
      otherCost: spending.other,
      judgeCost: spending.judge,
    })
    const left = challenge.left - spending.other
    if (left <= 0) return ended('skipped')
    if (!shown?.state.answer || duel.attempts >= MOST_ATTEMPTS) return ended('failed')
    const request = requestTo(shown, { ...challenge, left })
    const other = await this.#answer(challenge, request)
    if (other === undefined) return ended('failed')
    spending.other += other.usage.cost
    if (this.#stop.signal.aborted) return undefined
    if (isCutShort(other) && request.budget?.cost === left) return ended('skipped')
    if (other.answer === null) return ended('failed')
    return this.#judged(challenge, shown, other, left - other.usage.cost, spending, ended)
  }

  /** Undefined when the other arm cannot be asked this at all. */
  async #answer(
    { duel }: Challenge,
    request: RunRequest & { readonly seed: number },
  ): Promise<RunState | undefined> {
    const begin = (id: string): Promise<void> => this.#options.experiments.duels.attempt(duel, id)
    try {
      return await this.#hidden.run(request, begin, this.#stop.signal)
    } catch (cause) {
      if (cause instanceof RefineError && !cause.retryable) return undefined
      throw cause
    }
  }

  async #judged(
    { experiment, duel, judge }: Challenge,
    shown: RunRecord,
    other: RunState,
    left: number,
    spending: Spending,
    ended: (end: DuelOutcome['end'], lengthDifference?: number) => DuelOutcome,
  ): Promise<DuelOutcome | undefined> {
    const names = experiment.arms.map(({ name }) => name)
    const isShownLater = names.indexOf(duel.served) > names.indexOf(duel.other)
    const [served, hidden] = [shown.state.answer!.text, other.answer!.text]
    const [a, b] = isShownLater ? [served, hidden] : [hidden, served]
    const task = taskOf(shown.request as RunRequest)
    const { signal } = this.#stop
    const { verdict, cause, cost } = await judgeDuel(
      this.#options.parts,
      judge,
      task,
      { a, b },
      left,
      signal,
    )
    spending.judge += cost
    if (verdict !== undefined) return ended(verdict, a.length - b.length)
    if (cause instanceof BudgetSpent) return ended('skipped')
    const isPassing = signal.aborted || (cause instanceof RefineError && cause.retryable)
    if (!isPassing) this.#options.log.warn({ err: cause, run_id: duel.runId }, 'a judge failed')
    return isPassing ? undefined : ended('failed')
  }

  #wakeLater(): void {
    if (this.#stop.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.wake(), this.#options.retryDelay ?? 30_000).unref()
  }
}
