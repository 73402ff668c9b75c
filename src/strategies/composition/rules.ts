/** The rules of a stopper at work: what each looks at, and when. */
import type { StopReason, StrategyEvent } from '../../core/event.ts'
import { withoutThinking } from '../../core/thinking.ts'
import { asksForForm } from '../../core/validity.ts'
import type { Events } from '../compose.ts'
import { majorityProbability } from '../parts/ballot.ts'
import { strictReport } from '../parts/critique.ts'
import { formOf } from '../parts/forms.ts'
import { question } from '../parts/question.ts'
import { expectedGain, markovGain } from '../parts/stop-rules.ts'
import type { Course } from './course.ts'
import { scoreName, scoresAlone } from './scorers.ts'
import type { StopRule } from './stoppers.ts'

type Scored = Extract<StrategyEvent, { type: 'candidate.scored' }>

/** New candidates of a round, and the incumbent before it. */
export interface Round {
  readonly made: readonly number[]
  readonly held: number | undefined
}

/** What a rule says when it is asked; a moment that it does not know is one at which it is not asked. */
export interface LiveRule {
  readonly reason: StopReason
  /** While the first candidates are made: one more was completed, or scored by itself. */
  readonly onCompleted?: () => boolean
  readonly onScored?: (event: Scored) => boolean
  /** Whenever a generation is there and scored. */
  readonly onSettled?: () => boolean
  readonly startRound?: () => void
  readonly beforeRound?: (round: number) => Events<boolean>
  readonly afterRound?: (round: Round) => boolean
}

type Make<Kind extends StopRule['kind']> = (
  rule: Extract<StopRule, { kind: Kind }>,
  course: Course,
) => LiveRule

/** Fewer scores say nothing about what the next one will be. */
const LEAST_SCORES = 3

const threshold: Make<'threshold'> = ({ score: enough }, { chosen, refinement: { pool } }) => {
  const isEnough = (): boolean => {
    const score = pool.incumbent === undefined ? null : pool.score(pool.incumbent, name)
    return (score ?? -Infinity) >= enough
  }
  const name = scoreName(chosen.scorer)
  return { reason: 'threshold', onScored: isEnough, onSettled: isEnough }
}

const form: Make<'form'> = (_, { refinement: { pool, task } }) => {
  const hasForm = (): boolean =>
    asksForForm(task) && pool.incumbent !== undefined && pool.fault(pool.incumbent) === undefined
  return { reason: 'threshold', onCompleted: hasForm, onSettled: hasForm }
}

const beta: Make<'beta'> = ({ confidence }, course) => ({
  reason: 'agreement',
  onCompleted: () => {
    const [first = 0, second = 0] = course.votes().map(({ weight }) => weight)
    return first > 0 && majorityProbability(first, second) >= confidence
  },
})

const unanimousWindow: Make<'window'> = ({ length }, course) => ({
  reason: 'agreement',
  onCompleted: () => {
    if (course.considered.length < length) return false
    const last = course.considered.slice(-length).map((each) => course.refinement.pool.answer(each))
    return last[0] !== undefined && last.every((answer) => answer === last[0])
  },
})

const firstFinished: Make<'first-finished'> = ({ m }, course) => ({
  reason: 'agreement',
  onCompleted: () => course.considered.length >= m,
})

/** One more draw costs more than it is expected to gain. */
const reservation: Make<'reservation'> = ({ cost }, { refinement: { pool } }) => ({
  reason: 'threshold',
  onScored: ({ scorer, range }) => {
    const [lowest = 0, highest = 1] = range
    const scores = pool.completed
      .map((candidate) => pool.score(candidate, scorer))
      .filter((score) => typeof score === 'number')
      .map((score) => (score - lowest) / (highest - lowest))
    return scores.length >= LEAST_SCORES && expectedGain(scores) <= cost
  },
})

const stagnation: Make<'stagnation'> = ({ patience }, { refinement: { pool } }) => {
  let misses = 0
  return {
    reason: 'no_improvement',
    afterRound: ({ held }) => {
      misses = pool.incumbent === held ? misses + 1 : 0
      return misses >= patience
    },
  }
}

const resembles = (
  { refinement: { pool } }: Course,
  candidate: number,
  among: (other: number) => boolean,
): boolean =>
  pool.completed
    .filter((other) => other !== candidate && among(other))
    .some((other) => pool.resemble(other, candidate))

const nearCopy: Make<'near-copy'> = (_, course) => ({
  reason: 'no_improvement',
  afterRound: ({ made }) =>
    made.every((each) => resembles(course, each, (other) => other < made[0]!)),
})

/** Whether `other` is an ancestor further back than the parents. */
const isForebear = ({ refinement: { pool } }: Course, other: number, candidate: number) => {
  const open = pool.parents(candidate).flatMap((parent) => pool.parents(parent))
  const seen = new Set<number>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === other) return true
    if (seen.has(next)) continue
    seen.add(next)
    open.push(...pool.parents(next))
  }
  return false
}

const oscillation: Make<'oscillation'> = (_, course) => ({
  reason: 'no_improvement',
  afterRound: ({ made }) =>
    made.some((each) => resembles(course, each, (other) => isForebear(course, other, each))),
})

/** The reviewer found nothing wrong with the incumbent. */
const allClear: Make<'all-clear'> = (_, { refinement: { pool }, critiques }) => ({
  reason: 'threshold',
  afterRound: () =>
    pool.incumbent !== undefined && critiques.get(pool.incumbent)?.verdict === 'right',
})

/** The same answer must pass every time; the reports are sampled, since those of one verifier are much alike. */
const passes: Make<'passes'> = ({ passes: enough }, { refinement }) => ({
  reason: 'threshold',
  beforeRound: async function* () {
    const candidate = refinement.pool.incumbent!
    for (let passed = 0; passed < enough; passed++) {
      const report = yield* strictReport(refinement, candidate)
      if (report?.verdict !== 'pass') return false
    }
    return true
  },
})

const marginalGain: Make<'marginal-gain'> = ({ price }, course) => {
  let before = 0
  return {
    reason: 'no_improvement',
    startRound: () => void (before = course.lead()),
    afterRound: ({ made }) => course.lead() - before <= price * made.length,
  }
}

const markov: Make<'markov-gain'> = ({ repair, harm, cost }, course) => ({
  reason: 'no_improvement',
  beforeRound: async function* () {
    const belief = course.lead()
    const gain = markovGain(belief, repair, harm)
    const outcome = gain > cost ? 'continue' : 'stop'
    yield { type: 'gate.decided', gate: 'markov-gain', outcome, values: { belief, gain, cost } }
    return outcome === 'stop'
  },
})

const judgeHalt: Make<'judge-halt'> = ({ least_rounds: least }, course) => ({
  reason: 'agreement',
  beforeRound: async function* (round) {
    if (round <= least) return false
    const { refinement } = course
    const { context, pool, task } = refinement
    const texts = course.considered.map((candidate) => withoutThinking(pool.text(candidate)))
    const prompt = formOf(context, 'judge', 'halt')(task, texts)
    const reply = yield* question(refinement, 'judge', prompt)
    const isEnough = reply !== undefined && context.prompts.judge.readHalt(reply) === true
    const outcome = isEnough ? 'stop' : 'continue'
    yield { type: 'gate.decided', gate: 'judge-halt', outcome, values: {} }
    return isEnough
  },
})

/** At work in the sampler, which ends the candidates (`parts/watch.ts`). */
const ofOneCandidate = (): LiveRule => ({ reason: 'finished' })

const MAKERS: { readonly [Kind in StopRule['kind']]: Make<Kind> } = {
  threshold,
  form,
  beta,
  window: unanimousWindow,
  'first-finished': firstFinished,
  reservation,
  'low-confidence': ofOneCandidate,
  'probe-agreement': ofOneCandidate,
  stagnation,
  'near-copy': nearCopy,
  oscillation,
  'all-clear': allClear,
  passes,
  'marginal-gain': marginalGain,
  'markov-gain': markov,
  'judge-halt': judgeHalt,
}

export const bringToLife = (rule: StopRule, course: Course): LiveRule =>
  (MAKERS[rule.kind] as Make<StopRule['kind']>)(rule, course)

/** Whether rules are asked about each candidate's score as it comes. */
export const isOwnScore = ({ chosen: { scorer } }: Course, event: Scored): boolean =>
  scoresAlone(scorer) && event.scorer === scoreName(scorer)
