/**
 * The reference-free judge: one digit 0–9, scored by its expectation.
 *
 * Source: Self-J (Ye and Ng, "Self-Judge", 2024): s = Σ d·P(d) / Σ P(d) over the digits among the top-20 alternatives
 * of the first token at temperature 0. Deviations: where the prompts let a judge think first, the digit is the last token,
 * unless what it thought says otherwise; a model without log-probabilities, or where that token is no digit, is asked for a
 * verdict in words instead, with one retry.
 */
import type { CallOptions, LanguageModel, TokenLogProbability } from '../core/language-model.ts'
import type { JudgePrompt, RolePrompts } from '../core/prompts.ts'
import type { Draft, Score, Scorer } from '../core/scorer.ts'
import type { Task } from '../core/task.ts'
import { ask, askForVerdict, type Reply } from './reply.ts'

const ALTERNATIVES = 20
const DIGIT = /^\s*([0-9])\s*$/

/** Expected digit in [0, 9], undefined for a token that is none: a digit among its alternatives would say little. */
export const expectedDigit = (token: TokenLogProbability): number | undefined => {
  if (!DIGIT.test(token.text)) return undefined
  const probabilities = new Map([[token.text, Math.exp(token.logProbability)]])
  for (const { text, logProbability } of token.alternatives) {
    probabilities.set(text, Math.exp(logProbability))
  }
  let mass = 0
  let sum = 0
  for (const [text, probability] of probabilities) {
    const digit = DIGIT.exec(text)?.[1]
    if (digit === undefined) continue
    mass += probability
    sum += Number(digit) * probability
  }
  return mass > 0 ? sum / mass : undefined
}

const digitOf = (
  { text, firstToken, lastToken }: Reply,
  { digitAt }: JudgePrompt,
  prompts: RolePrompts,
  draft: Draft,
): TokenLogProbability | undefined => {
  if (digitAt === 'start') return firstToken
  // Thoughts that were cut off may end with the digit of some number, and what was thought may weigh more than the digit.
  const read = prompts.readVerdict(text, draft.text)
  return read !== undefined && lastToken?.text.trim() === String(read) ? lastToken : undefined
}

/** `replied`: what the judge said when it was asked for its digit. */
const readVerdict = async (
  model: LanguageModel,
  prompts: RolePrompts,
  task: Task,
  draft: Draft,
  options: CallOptions,
  replied: Reply | undefined,
): Promise<Score> => {
  const words = prompts.judgeVerdict(task, draft.text)
  const { value, retried } = await askForVerdict(
    model,
    words ?? prompts.judgeDigit(task, draft.text),
    (text) => prompts.readVerdict(text, draft.text),
    options,
    // To the same question the answer would be the same.
    words === undefined ? replied : undefined,
  )
  if (value === undefined) {
    const message =
      'The judge gave no readable verdict, twice; the candidate stays without a score.'
    return { score: null, warning: { code: 'judge_unreadable', message } }
  }
  if (!retried) return { score: value }
  const message = 'The judge’s first verdict could not be read; the second one counts.'
  return { score: value, warning: { code: 'judge_retried', message } }
}

/** Range [0, 9]; at most three calls per score, two with prompts that have one question only; mostly one. */
export const createJudge = (model: LanguageModel, prompts: RolePrompts): Scorer => ({
  name: 'judge',
  range: [0, 9],
  score: async (task, draft, options) => {
    let reply: Reply | undefined
    if (model.capabilities.log_probabilities !== 'none') {
      const prompt = prompts.judgeDigit(task, draft.text)
      reply = await ask(model, prompt, options, ALTERNATIVES)
      const digit = digitOf(reply, prompt, prompts, draft)
      const score = digit === undefined ? undefined : expectedDigit(digit)
      if (score !== undefined) return { score }
    }
    return readVerdict(model, prompts, task, draft, options, reply)
  },
})
