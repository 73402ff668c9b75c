/** From a run to the records of one format: a pure function, the same records in the same order each time. */
import { assertNever } from '../core/errors.ts'
import type { ExportFormat } from './export-query.ts'
import type { ExportBody } from './export-schema.ts'
import type { ExportedRun } from './exported-run.ts'
import { preferencesOf } from './preferences.ts'
import { stepLabelsOf, type StepSplitter } from './step-labels.ts'

export interface RecordOptions {
  readonly minimumMargin: number | undefined
  readonly splitters: readonly [StepSplitter, ...StepSplitter[]]
}

/** Nobody is to learn what the run itself did not trust, or what a filter broke off. */
const finalAnswers = ({ state }: ExportedRun): ExportBody[] => {
  const { status, stop_reason: reason, answer, candidates } = state
  if (status !== 'completed' || answer === null || answer.text.trim() === '') return []
  const isFiltered = candidates[answer.candidate]?.finish_reason === 'content_filter'
  if (reason === 'declined' || isFiltered) return []
  const completion = [{ role: 'assistant' as const, content: answer.text }]
  return [{ format: 'sft', completion, score: answer.score }]
}

/** A single answer is no trajectory. */
const trajectories = ({ state: { revisions, candidates } }: ExportedRun): ExportBody[] => {
  if (revisions.length < 2) return []
  const shown = revisions.map((revision) => ({
    ...revision,
    critiques: candidates[revision.candidate]?.critiques ?? [],
  }))
  return [{ format: 'revisions', revisions: shown }]
}

const trees = ({ state, critiques, comparisons }: ExportedRun): ExportBody[] => {
  const { answer, candidates } = state
  if (candidates.length === 0) return []
  return [
    {
      format: 'trees',
      answer: answer?.candidate ?? null,
      candidates,
      critiques: [...critiques],
      comparisons: [...comparisons],
    },
  ]
}

export const recordsOf = (
  run: ExportedRun,
  format: ExportFormat,
  { minimumMargin, splitters }: RecordOptions,
): ExportBody[] => {
  switch (format) {
    case 'sft':
      return finalAnswers(run)
    case 'preferences':
      return preferencesOf(run, minimumMargin)
    case 'steps':
      return stepLabelsOf(run, splitters)
    case 'revisions':
      return trajectories(run)
    case 'trees':
      return trees(run)
    case 'runs':
      return [{ format, run: run.state, feedback: [...run.feedback] }]
    default:
      return assertNever(format)
  }
}
