/** How the parts of a run are put into words, the same in the live view and in the lines of a log. */
import type { BudgetUnit } from '../core/budget.ts'
import type { RunState } from '../core/run-state.ts'
import type { EventOf, LiveCritique } from './run-view.ts'

/** At most four decimals, none where they are zero. */
export const formatNumber = (value: number): string => String(Number(value.toFixed(4)))

export const formatScore = (score: number | null): string =>
  score === null ? 'unreadable' : formatNumber(score)

const formatSeconds = (seconds: number): string => `${Number(seconds.toFixed(1))} s`

export const describeVotes = ({ answers, effective_answers }: EventOf<'vote.updated'>): string => {
  const shown = answers.map(
    ({ answer, weight, candidates }) =>
      `${answer} ×${candidates.length}${weight === candidates.length ? '' : ` (${formatNumber(weight)})`}`,
  )
  return `${shown.join(', ')}; effective answers ${formatNumber(effective_answers)}`
}

export const describeGate = ({ gate, outcome, values }: EventOf<'gate.decided'>): string => {
  const numbers = Object.entries(values).map(
    ([name, value]) => `${name} ${value === null ? 'unknown' : formatNumber(value)}`,
  )
  return `${gate}: ${outcome}${numbers.length === 0 ? '' : ` (${numbers.join(', ')})`}`
}

export const describeMeasures = (event: EventOf<'measures.reported'>): string => {
  const { effective_answers, majority, collapse, oscillation } = event
  const parts = [
    ...(effective_answers === null ? [] : [`effective answers ${formatNumber(effective_answers)}`]),
    ...(majority === null
      ? []
      : [`majority of ${majority.samples} ${majority.agrees ? 'agrees' : majority.answer}`]),
    ...(collapse === null ? [] : [`collapse ${formatNumber(collapse)}`]),
    ...(oscillation ? ['oscillation'] : []),
  ]
  return parts.length === 0 ? 'none' : parts.join(', ')
}

/** Each behaviour with how often it shows. */
export const describeMarks = ({ marks }: EventOf<'behaviours.observed'>): string => {
  const counts = new Map<string, number>()
  for (const { behaviour } of marks) counts.set(behaviour, (counts.get(behaviour) ?? 0) + 1)
  return [...counts].map(([behaviour, count]) => `${behaviour} ×${count}`).join(', ')
}

export const describeComparison = (event: EventOf<'comparison.completed'>): string => {
  const { candidates, winner, orders } = event
  if (orders.length === 0) return `${candidates.join(' against ')}: tie, they look the same`
  const verdict = winner === null ? 'tie' : `candidate ${winner} wins`
  const ways = orders.length === 1 ? 'one order' : `${orders.length} orders`
  return `${candidates.join(' against ')}: ${verdict} in ${ways}`
}

export const describeVerdict = ({ verdict, step }: Omit<LiveCritique, 'text'>): string =>
  [verdict, step === undefined ? undefined : `at step ${step}`]
    .filter((word) => word !== undefined)
    .join(' ')

const UNITS = ['calls', 'tokens', 'seconds', 'cost'] as const

/** What is spent, each unit against its limit where it has one. */
export const describeBudget = ({ spent, left }: EventOf<'budget.updated'>): string => {
  const amount = (unit: BudgetUnit, value: number): string =>
    unit === 'seconds' ? formatSeconds(value) : formatNumber(value)
  return UNITS.filter((unit) => unit !== 'cost' || spent.cost > 0 || left.cost !== null)
    .map((unit) => {
      const rest = left[unit]
      const limit = rest === null ? '' : ` of ${amount(unit, spent[unit] + rest)}`
      return `${unit} ${amount(unit, spent[unit])}${limit}`
    })
    .join(' · ')
}

/** How the run ended and what it took. */
export const describeEnd = ({ status, stop_reason, error, usage }: RunState): string => {
  const why = error === null ? stop_reason : `${error.code}: ${error.message}`
  const head = why === null || why === status ? status : `${status} (${why})`
  const tokens = usage.input_tokens + usage.output_tokens
  const cost = usage.cost > 0 ? `, cost ${formatNumber(usage.cost)}` : ''
  return `${head}: ${usage.calls} calls, ${tokens} tokens, ${formatSeconds(usage.seconds)}${cost}`
}
