/** The runs of an evaluation that are there, as numbers, in the order of its plan. */
import { RefineError } from '../core/errors.ts'
import type { RunRequest } from '../runs/run-request.ts'
import { requestOf, seedOf, type Arm } from './arm.ts'
import type { Item } from './data-set.ts'
import { measureRun, type RunMeasure } from './measure.ts'
import { keyText, requestHash, type RunKey, type RunRecord } from './record.ts'

export interface EvaluationPlan {
  readonly arms: readonly Arm[]
  readonly items: readonly Item[]
  /** Runs of each arm on each item, at least 1. */
  readonly repeats: number
  readonly seed: number
}

export interface Job {
  readonly arm: Arm
  readonly item: Item
  readonly key: RunKey
}

/** All arms of an item stand together, so that an evaluation that is cut off has compared like with like. */
export function* jobsOf({ arms, items, repeats }: EvaluationPlan): Generator<Job, void, void> {
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const item of items) {
      for (const arm of arms) yield { arm, item, key: { arm: arm.name, item: item.id, repeat } }
    }
  }
}

export const runsPlanned = ({ arms, items, repeats }: EvaluationPlan): number =>
  arms.length * items.length * repeats

export const requestFor = ({ seed }: EvaluationPlan, { arm, item, key }: Job): RunRequest =>
  requestOf(arm, item, seedOf(seed, item.id, key.repeat))

const otherSettings = ({ arm, item }: RunRecord): RefineError =>
  new RefineError(
    'conflict',
    `The journal holds a run of arm "${arm}" on item "${item}" that was asked with other settings. Use another folder, or the same settings.`,
  )

export class MeasuredRuns {
  readonly #plan: EvaluationPlan
  readonly #armsByName: ReadonlyMap<string, Arm>
  readonly #itemsById: ReadonlyMap<string, Item>
  readonly #measures = new Map<string, RunMeasure>()
  readonly #counts: Map<string, { runs: number; right: number }>

  constructor(plan: EvaluationPlan) {
    this.#plan = plan
    this.#armsByName = new Map(plan.arms.map((arm) => [arm.name, arm]))
    this.#itemsById = new Map(plan.items.map((item) => [item.id, item]))
    this.#counts = new Map(plan.arms.map(({ name }) => [name, { runs: 0, right: 0 }]))
  }

  get size(): number {
    return this.#measures.size
  }

  /** By the name of the arm. */
  get arms(): ReadonlyMap<string, { readonly runs: number; readonly right: number }> {
    return this.#counts
  }

  has(key: RunKey): boolean {
    return this.#measures.has(keyText(key))
  }

  /**
   * Keeps a run that was recorded earlier; one that is not part of the plan, or failed and is to be run again, is passed over.
   * @throws RefineError conflict when it was asked with other settings.
   */
  takeUp(record: RunRecord, retryFailed = false): void {
    const [arm, item] = [this.#armsByName.get(record.arm), this.#itemsById.get(record.item)]
    if (arm === undefined || item === undefined || record.repeat >= this.#plan.repeats) return
    if (record.request_hash !== requestHash(requestFor(this.#plan, { arm, item, key: record })))
      throw otherSettings(record)
    if (retryFailed && record.run.status === 'failed') return
    this.keep(record, item)
  }

  /** A later record of a run takes the place of an earlier one. */
  keep(record: RunRecord, item: Item): void {
    const count = this.#counts.get(record.arm)!
    const before = this.#measures.get(keyText(record))
    const measure = measureRun(record, item)
    this.#measures.set(keyText(record), measure)
    count.runs += before === undefined ? 1 : 0
    count.right += Number(measure.last) - Number(before?.last ?? false)
  }

  /** In the order of the plan, whatever order the runs ended in. */
  inOrder(): RunMeasure[] {
    const found: RunMeasure[] = []
    for (const { key } of jobsOf(this.#plan)) {
      const measure = this.#measures.get(keyText(key))
      if (measure !== undefined) found.push(measure)
    }
    return found
  }
}
