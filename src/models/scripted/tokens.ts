/** Words as tokens, and their log-probabilities. */
import { messageText, type Message } from '../../core/conversation.ts'
import type { TokenLogProbability } from '../../core/language-model.ts'
import { createRandom, hashToUnit } from '../../core/random.ts'
import type { Tool } from '../../core/tools.ts'
import type { Reply } from './reply.ts'

/** Cuts a text into words with the space before them, none longer than eight characters; joined, they are the text. */
export const tokenize = (text: string): string[] => text.match(/\s*\S{1,8}|\s+$/gu) ?? []

const TOKENS_PER_MESSAGE = 2

export const countTokens = (messages: readonly Message[], tools: readonly Tool[] = []): number => {
  const texts = [...messages.map(messageText), ...tools.map((tool) => JSON.stringify(tool))]
  return texts.reduce((sum, text) => sum + tokenize(text).length + TOKENS_PER_MESSAGE, 0)
}

const MEAN_RIGHT = -0.1
const MEAN_WRONG = -0.4
const FLOOR = 1e-9

/** The log-probabilities of a text's tokens, in [2 · mean, 0): the same text always has the same ones. */
export const tokenLogProbabilities = (tokens: readonly string[], right: boolean): number[] => {
  const random = createRandom(hashToUnit(tokens.join('')) * 2 ** 32)
  const mean = right ? MEAN_RIGHT : MEAN_WRONG
  return tokens.map(() => 2 * mean * (1 - random.next()))
}

/** Log-probability of the text as the first token of a reply that is a choice. */
export const choiceLogProbability = (choices: ReadonlyMap<string, number>, text: string): number =>
  Math.log(choices.get(text.trim()) ?? FLOOR)

/** One entry per token, each with itself first among `count` alternatives. */
export const describeTokens = (
  reply: Reply,
  tokens: readonly string[],
  count: number,
): TokenLogProbability[] => {
  const { choices } = reply
  if (choices !== undefined) {
    const alternatives = [...choices]
      .map(([text, probability]) => ({ text, logProbability: Math.log(probability) }))
      .toSorted((left, right) => right.logProbability - left.logProbability)
      .slice(0, count)
    return tokens.map((text) => ({
      text,
      logProbability: choiceLogProbability(choices, text),
      alternatives,
    }))
  }
  const values = tokenLogProbabilities(tokens, reply.right)
  return tokens.map((text, index) => {
    const logProbability = values[index] ?? 0
    return { text, logProbability, alternatives: [{ text, logProbability }].slice(0, count) }
  })
}
