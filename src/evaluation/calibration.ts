/**
 * The threshold of `selective`, chosen on runs that are known to be right or wrong: those of an evaluation by its labels, or
 * exported ones by what was said of them. A pure function of scores and outcomes; no run ever sees it.
 */
import { createReadStream } from 'node:fs'
import { answerOf } from '../core/answer.ts'
import { RefineError } from '../core/errors.ts'
import { linesOf } from '../core/lines.ts'
import type { RunState } from '../core/run-state.ts'
import type { Item } from './data-set.ts'
import { groupBy } from './grouping.ts'
import { readJournal } from './journal.ts'
import { keyText } from './record.ts'
import {
  heldOut,
  lowestThreshold,
  riskCoverage,
  type HeldOut,
  type RiskPoint,
  type Scored,
} from './statistics/risk-coverage.ts'

/** Wire data, hence snake_case. */
export interface Calibration {
  readonly object: 'calibration'
  readonly scorer: string
  readonly target_risk: number
  readonly answers: number
  /** Answers without a score: `selective` declines them. */
  readonly unscored: number
  /** Mean loss when nothing is declined. */
  readonly risk_of_all: number
  /** Lowest threshold whose mean loss is at most the target; null where there is none. */
  readonly chosen: RiskPoint | null
  /** The same by the upper end of the interval. */
  readonly cautious: RiskPoint | null
  readonly held_out: HeldOut | null
  readonly curve: readonly RiskPoint[]
}

export const calibrate = (
  answers: readonly Scored[],
  scorer: string,
  target: number,
): Calibration => {
  const curve = riskCoverage(answers)
  const loss = answers.reduce((sum, answer) => sum + answer.loss, 0)
  return {
    object: 'calibration',
    scorer,
    target_risk: target,
    answers: answers.length,
    unscored: answers.filter(({ score }) => score === null).length,
    risk_of_all: answers.length === 0 ? 0 : loss / answers.length,
    chosen: lowestThreshold(curve, target) ?? null,
    cautious: lowestThreshold(curve, target, 'upper') ?? null,
    held_out: heldOut(answers, target) ?? null,
    curve,
  }
}

/** Score of the answer that the run gave; null without one, undefined without an answer. */
const scoreOfAnswer = (
  { answer, candidates }: RunState,
  scorer: string,
): number | null | undefined =>
  answer === null
    ? undefined
    : (candidates[answer.candidate]?.scores.findLast((each) => each.scorer === scorer)?.score ??
      null)

const isRun = (value: unknown): value is { readonly run: RunState } =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as { run?: Partial<RunState> }).run?.candidates)

/** @throws RefineError invalid_request naming a line that holds no run. */
async function* runsOf(file: string) {
  let number = 0
  for await (const text of linesOf(createReadStream(file))) {
    number++
    if (text.trim() === '') continue
    const place = `${file}, line ${number},`
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw new RefineError('invalid_request', `${place} is not JSON.`)
    }
    if (!isRun(value)) throw new RefineError('invalid_request', `${place} holds no run.`)
    yield value
  }
}

/**
 * The answers in `runs.jsonl` of an evaluation, held against its data set: of one arm where it is named, else of all that use
 * the scorer at all. Those of different arms are chosen differently, so that naming one is better. Of a run that was made
 * again the later record counts.
 * @throws RefineError invalid_request, or what reading the file throws.
 */
export const judgedByLabels = async (
  file: string,
  items: readonly Item[],
  scorer: string,
  arm?: string,
): Promise<Scored[]> => {
  const labels = new Map(items.map(({ id, label }) => [id, label]))
  const found = new Map<string, Scored & { readonly arm: string }>()
  for await (const record of readJournal(file)) {
    if (!isRun(record)) throw new RefineError('invalid_request', `${file} holds a run in part.`)
    const label = labels.get(record.item)
    if (label === undefined || (arm !== undefined && record.arm !== arm)) continue
    const score = scoreOfAnswer(record.run, scorer)
    if (score === undefined) {
      found.delete(keyText(record))
      continue
    }
    const loss = answerOf(record.run.answer!.text) === label ? 0 : 1
    found.set(keyText(record), { score, loss, question: record.item, arm: record.arm })
  }
  const all = [...groupBy([...found.values()], (answer) => answer.arm).values()]
  const used = all.filter((answers) => answers.some((each) => each.score !== null))
  return (used.length === 0 ? all : used).flat()
}

/** 1 is right, 0 wrong, numbers between are in between; undefined for what is no judgement. */
const lossOf = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value <= 1 ? 1 - value : undefined

/** The answers in an export of the format `runs`, by what it says of the metric of that name; others are passed over. */
export const judgedByFeedback = async (
  file: string,
  metric: string,
  scorer: string,
): Promise<Scored[]> => {
  const found: Scored[] = []
  for await (const record of runsOf(file)) {
    const { metrics } = record as { metrics?: Readonly<Record<string, unknown>> }
    const loss = lossOf(metrics?.[metric])
    const score = scoreOfAnswer(record.run, scorer)
    if (loss !== undefined && score !== undefined) found.push({ score, loss })
  }
  return found
}
