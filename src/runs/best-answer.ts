/** The answer a run ends with, whatever ended it. */
import type { Answer } from '../core/event.ts'
import { FORM } from '../core/validity.ts'
import type { LiveRun } from './live-run.ts'

/** Shows a candidate as the answer unless it is already. */
export const showAnswer = async (
  live: LiveRun,
  candidate: number,
  reason: string,
): Promise<void> => {
  const { answer, revisions, candidates } = live.state
  if (answer?.candidate === candidate) return
  const { text, tool_calls } = candidates[candidate]!
  const calls = tool_calls === undefined ? {} : { tool_calls }
  const revision = revisions.length + 1
  const said = { revision, candidate, text, ...calls }
  await live.append({ type: 'answer.revised', ...said, reason, score: null })
}

/** A run stopped before any candidate was complete answers with what the longest one has so far. */
export const salvage = async (live: LiveRun): Promise<Answer | null> => {
  const { answer, candidates } = live.state
  if (answer !== null) return answer
  const partial = candidates
    .filter(({ text }) => text.trim() !== '')
    .toSorted((left, right) => right.text.length - left.text.length)[0]
  if (partial === undefined) return null
  await showAnswer(live, partial.candidate, 'partial')
  return live.state.answer
}

/** The first answer is shown before it is scored; at the end its score is known. */
export const withScore = (answer: Answer | null, { state }: LiveRun): Answer | null => {
  if (answer === null || answer.score !== null) return answer
  const last = state.candidates[answer.candidate]?.scores.findLast(({ scorer }) => scorer !== FORM)
  return { ...answer, score: last?.score ?? null }
}
