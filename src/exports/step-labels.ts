/** Texts with a label for each of their steps, for training a process reward. */
import type { Candidate } from '../core/run-state.ts'
import type { BodyOf, Critique } from './export-schema.ts'
import type { ExportedRun } from './exported-run.ts'

type Steps = BodyOf<'steps'>

/** Ways to cut a text into steps: which one a scorer used is told by the number of its scores. */
export type StepSplitter = (text: string) => readonly string[]

const RIGHT_FROM = 0.5

const byScorer = (candidate: Candidate, splitters: readonly StepSplitter[]): Steps[] =>
  candidate.scores.flatMap(({ scorer, steps: scores }): Steps[] => {
    if (scores === undefined || scores.length === 0) return []
    const parts = splitters
      .map((split) => split(candidate.text))
      .find(({ length }) => length === scores.length)
    if (parts === undefined) return []
    return [
      {
        format: 'steps',
        candidate: candidate.candidate,
        completions: [...parts],
        scores,
        labels: scores.map((score) => score >= RIGHT_FROM),
        labelled_by: scorer,
      },
    ]
  })

/** What stands before the first wrong step was not found wrong; of what follows nothing is known. */
const byCritique = (
  { candidate, text }: Candidate,
  { step, verdict }: Critique,
  split: StepSplitter,
): Steps[] => {
  const parts = split(text)
  const isLocated = step !== undefined && step <= parts.length
  if (parts.length === 0 || (!isLocated && verdict !== 'right')) return []
  const labels = parts.map((_, index) => {
    if (!isLocated) return true
    return index + 1 < step ? true : index + 1 === step ? false : null
  })
  return [
    {
      format: 'steps',
      candidate,
      completions: [...parts],
      scores: null,
      labels,
      labelled_by: 'critique',
    },
  ]
}

/** All labels of the run, candidate by candidate: scorers first, then critics. The first splitter reads critiques. */
export const stepLabelsOf = (
  { state: { candidates }, critiques }: ExportedRun,
  splitters: readonly [StepSplitter, ...StepSplitter[]],
): Steps[] =>
  candidates.flatMap((candidate) => [
    ...byScorer(candidate, splitters),
    ...critiques
      .filter((critique) => critique.candidate === candidate.candidate)
      .flatMap((critique) => byCritique(candidate, critique, splitters[0])),
  ])
