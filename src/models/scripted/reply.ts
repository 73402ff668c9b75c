/** What the scripted model says in each role, given how good it is meant to be. */
import type { Random } from '../../core/random.ts'
import type { ToolCall } from '../../core/tools.ts'
import type { Conversation } from './conversation.ts'
import { countSteps, firstMistake, isFine, isRight, writeSolution, type Craft } from './solution.ts'

/** All numbers are probabilities in [0, 1]. */
export interface Quality extends Craft {
  /** A right draft stays right when it is refined (CL). */
  readonly keepRight: number
  /** A wrong draft becomes right when it is refined (CS). */
  readonly repairWrong: number
  /** A judge, a comparison or a step score believes what is true. */
  readonly judgeReliability: number
  /** A review says what is true. */
  readonly reviewerAccuracy: number
  /** A judge or a comparison answers with something that cannot be read. */
  readonly malformedJudge: number
}

export interface Reply {
  readonly text: string
  readonly calls?: readonly ToolCall[]
  /** Probabilities of what the first token could have been, where the role answers with one token. */
  readonly choices?: ReadonlyMap<string, number>
  /** Whether the text is a solution that is right: such texts get better log-probabilities. */
  readonly right: boolean
}

const MALFORMED = 'Hard to say without more to go on.'
const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit))
const COMPARISON_CONFIDENCE = 0.9

const pick = (choices: ReadonlyMap<string, number>, random: Random, greedy: boolean): string => {
  const entries = [...choices]
  if (greedy) return entries.reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]
  let left = random.next()
  for (const [text, probability] of entries) {
    left -= probability
    if (left < 0) return text
  }
  return entries.at(-1)?.[0] ?? ''
}

/** A peak of falling weight on both sides: at 7 to 9 for what the judge takes as right, at 0 to 2 else. */
const digitChoices = (believed: boolean, random: Random): Map<string, number> => {
  const peak = (believed ? 7 : 0) + random.integer(3)
  const weights = DIGITS.map((_, digit) => Math.exp(-2 * Math.abs(digit - peak)))
  const total = weights.reduce((sum, weight) => sum + weight)
  return new Map(DIGITS.map((digit, index) => [digit, (weights[index] ?? 0) / total]))
}

const judge = (right: boolean, quality: Quality, random: Random, greedy: boolean): Reply => {
  const malformed = random.next() < quality.malformedJudge
  const believed = random.next() < quality.judgeReliability ? right : !right
  if (malformed) return { text: MALFORMED, right: true }
  const choices = digitChoices(believed, random)
  return { text: pick(choices, random, greedy), choices, right: true }
}

const compare = (
  firstRight: boolean,
  secondRight: boolean,
  quality: Quality,
  random: Random,
  greedy: boolean,
): Reply => {
  const malformed = random.next() < quality.malformedJudge
  const truthful = random.next() < quality.judgeReliability
  const better = firstRight === secondRight ? random.next() < 0.5 : firstRight === truthful
  if (malformed) return { text: MALFORMED, right: true }
  const first = better ? COMPARISON_CONFIDENCE : 1 - COMPARISON_CONFIDENCE
  const choices = new Map([
    ['A', first],
    ['B', 1 - first],
  ])
  return { text: pick(choices, random, greedy), choices, right: true }
}

/** The first candidate that is believed to be right, else the first of all. */
const select = (believed: readonly boolean[]): Reply => {
  const index = Math.max(0, believed.indexOf(true))
  return { text: String.fromCodePoint('A'.codePointAt(0)! + index), right: true }
}

const review = (question: string, draft: string, quality: Quality, random: Random): string => {
  const truthful = random.next() < quality.reviewerAccuracy
  const mistake = firstMistake(question, draft)
  if ((mistake === undefined) === truthful) return 'All steps are right.'
  if (mistake !== undefined) {
    return `Step ${mistake.step} is wrong: it should come to ${mistake.expected}.`
  }
  const step = 1 + random.integer(Math.max(1, countSteps(draft)))
  return `Step ${step} is wrong: it should come to ${1 + random.integer(99)}.`
}

const solve = (
  question: string,
  accuracy: number,
  written: string,
  quality: Quality,
  random: Random,
): Reply => {
  const rethought = (right: boolean): number => (right ? quality.keepRight : quality.repairWrong)
  const text = writeSolution(question, written, { ...quality, accuracy }, random, rethought)
  return { text, right: isRight(question, written + text) }
}

/** The reply after `written`, which is what the assistant has said already. Draws from `random` alone. */
export const replyTo = (
  conversation: Conversation,
  written: string,
  quality: Quality,
  random: Random,
  greedy: boolean,
): Reply => {
  const { role, question } = conversation
  switch (role) {
    case 'solve':
      return solve(question, quality.accuracy, written, quality, random)
    case 'refine': {
      const kept = isRight(question, conversation.draft) ? quality.keepRight : quality.repairWrong
      return solve(question, kept, written, quality, random)
    }
    case 'review':
      return { text: review(question, conversation.draft, quality, random), right: true }
    case 'judge':
      return judge(isRight(question, conversation.draft), quality, random, greedy)
    case 'aggregate': {
      const found = conversation.drafts.some((draft) => isRight(question, draft))
      const accuracy = found ? quality.keepRight : quality.repairWrong
      return solve(question, accuracy, written, quality, random)
    }
    case 'select': {
      const believes = (right: boolean) => right === random.next() < quality.judgeReliability
      return select(conversation.drafts.map((draft) => believes(isRight(question, draft))))
    }
    case 'compare': {
      const [first, second] = conversation.drafts
      return compare(isFine(question, first), isFine(question, second), quality, random, greedy)
    }
  }
}
