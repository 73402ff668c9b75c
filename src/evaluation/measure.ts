/** Holds one finished run against its label and keeps the numbers; the texts are let go. */
import { answerOf } from '../core/answer.ts'
import type { Usage } from '../core/event.ts'
import type { Candidate, RunState } from '../core/run-state.ts'
import { countVotes, effectiveAnswers, type AnswerWeight } from '../core/vote.ts'
import type { Item } from './data-set.ts'
import { isCopy } from './edit-distance.ts'
import type { RunKey, RunRecord } from './record.ts'

/** Numbers of drafts for which pass@k and majority@k are told. */
export const DRAFT_COUNTS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256]

export interface RunMeasure extends RunKey {
  readonly difficulty: string | undefined
  readonly status: RunState['status']
  /** Stop reason, or the code of the error. */
  readonly ended: string
  /** Has an answer and did not decline to give it. */
  readonly answered: boolean
  /** Whether the first and the last answer shown are right; false without any. */
  readonly first: boolean
  readonly last: boolean
  readonly usage: Usage
  readonly drafts: { readonly total: number; readonly right: number }
  /** All complete candidates, revisions and aggregates too. */
  readonly candidates: { readonly total: number; readonly right: number }
  /** Whether the majority of the first k drafts is right, for each k there are drafts for; the last entry is of all. */
  readonly majority: readonly { readonly k: number; readonly right: boolean }[]
  /** exp(H) of the answers of all complete candidates, one vote each. */
  readonly effectiveAnswers: number
  readonly scores: readonly {
    readonly scorer: string
    readonly score: number
    readonly right: boolean
  }[]
  readonly comparisons: {
    readonly total: number
    readonly consistent: number
    /** Between a right and a wrong candidate, and how many of those the right one won. */
    readonly decidable: number
    readonly decidedRightly: number
  }
  /** Verdicts of reviews on right and on wrong candidates. */
  readonly reviews: {
    readonly onRight: number
    readonly falseAlarms: number
    readonly onWrong: number
    readonly found: number
  }
  readonly revisions: { readonly total: number; readonly copies: number }
  readonly timeline: readonly {
    readonly seconds: number
    readonly tokens: number
    readonly right: boolean
  }[]
}

interface Judged {
  readonly candidate: Candidate
  readonly answer: string | undefined
  readonly right: boolean
}

const isComplete = ({ finish_reason }: Candidate): boolean =>
  finish_reason !== null && finish_reason !== 'failed' && finish_reason !== 'dropped'

/** One vote each, in order of creation. */
const votesOf = (judged: readonly Judged[]): AnswerWeight[] =>
  countVotes(
    judged.map(({ candidate, answer }) => ({ candidate: candidate.candidate, answer, weight: 1 })),
  )

const majorityOf = (drafts: readonly Judged[], label: string): RunMeasure['majority'] =>
  [...DRAFT_COUNTS.filter((k) => k < drafts.length), drafts.length]
    .filter((k) => k > 0)
    .map((k) => ({ k, right: votesOf(drafts.slice(0, k))[0]?.answer === label }))

const countRight = (judged: readonly Judged[]): { total: number; right: number } => ({
  total: judged.length,
  right: judged.filter(({ right }) => right).length,
})

const comparisonsOf = (
  { comparisons }: RunRecord,
  isRight: (candidate: number) => boolean,
): RunMeasure['comparisons'] => {
  const both = comparisons.filter(({ orders }) => orders.length > 1)
  const decidable = comparisons.filter(
    ({ candidates }) => new Set(candidates.map(isRight)).size === 2,
  )
  return {
    total: both.length,
    consistent: both.filter(
      ({ orders }) => orders[0] !== null && orders.every((winner) => winner === orders[0]),
    ).length,
    decidable: decidable.length,
    decidedRightly: decidable.filter(({ winner }) => winner !== null && isRight(winner)).length,
  }
}

const reviewsOf = (
  { verdicts }: RunRecord,
  isRight: (candidate: number) => boolean,
): RunMeasure['reviews'] => {
  const onRight = verdicts.filter(({ candidate }) => isRight(candidate))
  const onWrong = verdicts.filter(({ candidate }) => !isRight(candidate))
  const alarms = (group: typeof onRight): number =>
    group.filter(({ verdict }) => verdict === 'wrong').length
  return {
    onRight: onRight.length,
    falseAlarms: alarms(onRight),
    onWrong: onWrong.length,
    found: alarms(onWrong),
  }
}

const revisionsOf = ({ candidates }: RunState): RunMeasure['revisions'] => {
  const revised = candidates.filter(
    (candidate) => candidate.role === 'revision' && isComplete(candidate),
  )
  const copies = revised.filter(({ parents, text }) =>
    parents.some((parent) => isCopy(candidates[parent]?.text ?? '', text)),
  )
  return { total: revised.length, copies: copies.length }
}

const scoresOf = (judged: readonly Judged[]): RunMeasure['scores'] =>
  judged.flatMap(({ candidate, right }) =>
    candidate.scores.flatMap(({ scorer, score }) =>
      score === null ? [] : [{ scorer, score, right }],
    ),
  )

/** What the run ended with, after the last moment: a run may take its answer back. */
const timelineOf = (
  { moments, run }: RunRecord,
  isAnswerRight: (text: string | undefined) => boolean,
  last: boolean,
): RunMeasure['timeline'] => {
  const timeline = moments.map(({ revision, seconds, tokens }) => ({
    seconds,
    tokens,
    right: isAnswerRight(run.revisions[revision - 1]?.text),
  }))
  const { seconds, input_tokens, output_tokens } = run.usage
  if ((timeline.at(-1)?.right ?? false) === last) return timeline
  return [...timeline, { seconds, tokens: input_tokens + output_tokens, right: last }]
}

/** All that the run took. */
export const tokensOf = ({ usage }: RunMeasure): number => usage.input_tokens + usage.output_tokens

/** Measures a run. Pure: the same record and item, the same numbers. */
export const measureRun = (record: RunRecord, item: Item): RunMeasure => {
  const { arm, repeat, run } = record
  const isAnswerRight = (text: string | undefined): boolean =>
    text !== undefined && answerOf(text) === item.label
  const judged = run.candidates.filter(isComplete).map((candidate) => {
    const answer = answerOf(candidate.text)
    return { candidate, answer, right: answer === item.label }
  })
  const right = new Set(judged.flatMap((each) => (each.right ? [each.candidate.candidate] : [])))
  const isRight = (candidate: number): boolean => right.has(candidate)
  const drafts = judged.filter(({ candidate }) => candidate.role === 'draft')
  const declined = run.stop_reason === 'declined'
  const last = !declined && isAnswerRight(run.answer?.text)
  return {
    arm,
    item: item.id,
    repeat,
    difficulty: item.difficulty,
    status: run.status,
    ended: run.stop_reason ?? run.error?.code ?? run.status,
    answered: run.answer !== null && !declined,
    first: isAnswerRight(run.revisions[0]?.text),
    last,
    usage: run.usage,
    drafts: countRight(drafts),
    candidates: countRight(judged),
    majority: majorityOf(drafts, item.label),
    effectiveAnswers: effectiveAnswers(votesOf(judged)),
    scores: scoresOf(judged),
    comparisons: comparisonsOf(record, isRight),
    reviews: reviewsOf(record, isRight),
    revisions: revisionsOf(run),
    timeline: timelineOf(record, isAnswerRight, last),
  }
}
