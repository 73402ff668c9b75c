/** One line per event that matters, for logs and pipes. */
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import { assertNever } from '../core/errors.ts'
import { clipStart, oneLine } from './display-text.ts'
import {
  describeBudget,
  describeComparison,
  describeEnd,
  describeGate,
  describeMarks,
  describeMeasures,
  describeVerdict,
  describeVotes,
  formatNumber,
  formatScore,
} from './phrases.ts'
import type { EventOf } from './run-view.ts'

/** Cells of a candidate's or critique's text that one line shows: its end, where the result stands. */
const TEXT_WIDTH = 240

const quote = (text: string): string => clipStart(oneLine(text), TEXT_WIDTH)

const createdLine = (event: EventOf<'candidate.created'>): string => {
  const { candidate, role, parents, round, model } = event
  const from = parents.length === 0 ? '' : ` of ${parents.join(', ')}`
  return `candidate ${candidate}: ${role}${from}, round ${round}, ${model}`
}

const lostLine = (event: EventOf<'candidate.failed'> | EventOf<'candidate.dropped'>): string =>
  event.type === 'candidate.failed'
    ? `candidate ${event.candidate} failed: ${oneLine(event.error.message)}`
    : `candidate ${event.candidate} dropped: ${oneLine(event.reason)}`

const scoredLine = ({ candidate, scorer, score, range, steps }: EventOf<'candidate.scored'>) => {
  const perStep = steps === undefined ? '' : `, steps ${steps.map(formatNumber).join(' ')}`
  return `score of ${candidate}: ${scorer} ${formatScore(score)} in [${range.join(', ')}]${perStep}`
}

const critiqueLine = (event: EventOf<'critique.completed'>): string => {
  const verdict = describeVerdict({ ...event, isComplete: true })
  return `critique of ${event.candidate}${verdict === '' ? '' : ` (${verdict})`}: ${quote(event.text)}`
}

const revisedLine = (event: EventOf<'answer.revised'>): string => {
  const score = event.score === null ? '' : `, score ${formatScore(event.score)}`
  return `revision ${event.revision}: candidate ${event.candidate}${score} (${oneLine(event.reason)})`
}

const steeredLine = ({ steering: { action, ...rest } }: EventOf<'run.steered'>): string => {
  const details = Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  return `steered: ${oneLine([action, ...details].join(', '))}`
}

type Decision =
  | EventOf<'comparison.completed'>
  | EventOf<'vote.updated'>
  | EventOf<'workspace.completed'>
  | EventOf<'behaviours.observed'>
  | EventOf<'gate.decided'>

/** What is found out about candidates, beside their scores. */
const decisionLine = (event: Decision): string => {
  switch (event.type) {
    case 'comparison.completed':
      return `comparison ${describeComparison(event)}`
    case 'vote.updated':
      return `votes ${oneLine(describeVotes(event))}`
    case 'workspace.completed':
      return `workspace of ${event.candidates.join(', ')}: ${quote(event.text)}`
    case 'behaviours.observed':
      return `behaviours of ${event.candidate}: ${describeMarks(event)}`
    case 'gate.decided':
      return `gate ${oneLine(describeGate(event))}`
    default:
      return assertNever(event)
  }
}

/** The line of an event, given the run after it; undefined for what is too fine for a log. */
export const lineOf = (event: RunEvent, run: RunState): string | undefined => {
  if (event.type === 'candidate.delta' || event.type === 'critique.delta') return undefined
  switch (event.type) {
    case 'run.created':
      return `${event.run_id}: ${event.strategy} with ${event.model}, seed ${event.seed}`
    case 'candidate.created':
      return createdLine(event)
    case 'candidate.completed':
      return `text of ${event.candidate} (${event.finish_reason}, ${event.usage.output_tokens} tokens): ${quote(run.candidates[event.candidate]?.text ?? '')}`
    case 'candidate.failed':
    case 'candidate.dropped':
      return lostLine(event)
    case 'run.steered':
      return steeredLine(event)
    case 'candidate.scored':
      return scoredLine(event)
    case 'critique.completed':
      return critiqueLine(event)
    case 'answer.revised':
      return revisedLine(event)
    case 'budget.updated':
      return `budget ${describeBudget(event)}`
    case 'measures.reported':
      return `measures ${oneLine(describeMeasures(event))}`
    case 'warning':
      return `warning ${event.code}: ${oneLine(event.message)}`
    case 'run.completed':
    case 'run.failed':
    case 'run.cancelled':
      return oneLine(describeEnd(run))
    case 'comparison.completed':
    case 'vote.updated':
    case 'workspace.completed':
    case 'behaviours.observed':
    case 'gate.decided':
      return decisionLine(event)
    default:
      return assertNever(event)
  }
}
