/** What the budget still allows, before work is begun: a look ahead that spends nothing. */
import type { LanguageModel } from '../../core/language-model.ts'
import type { StrategyContext } from '../../core/strategy.ts'
import type { Message, Sampling } from '../../core/task.ts'

/**
 * How many of `n` samples the budget allows, at least one: `callsEach` calls for each, and, where the length of an
 * answer is limited, prompt and answer of each in tokens. `kept` calls are left for what is made of them.
 */
export const affordableSamples = (
  { budget, models }: StrategyContext,
  messages: readonly Message[],
  { max_tokens: maxTokens }: Sampling,
  n: number,
  callsEach = 1,
  kept = 0,
): number => {
  const byCalls = (budget.remaining('calls') - kept) / callsEach
  const tokens = budget.remaining('tokens')
  if (maxTokens === undefined || tokens === Infinity) {
    return Math.max(1, Math.floor(Math.min(n, byCalls)))
  }
  const each = models.generator.countTokens(messages) + maxTokens
  return Math.max(1, Math.floor(Math.min(n, byCalls, tokens / each)))
}

/** The first pieces of work, each of `callsEach` calls, that the budget allows, at least one. */
export const affordablePieces = <Piece>(
  { budget }: StrategyContext,
  pieces: readonly Piece[],
  callsEach: number,
): readonly Piece[] =>
  pieces.slice(0, Math.max(1, Math.floor(budget.remaining('calls') / callsEach)))

/** Whether one more call fits in every unit. */
export const affordsCall = (
  { budget }: StrategyContext,
  { price }: LanguageModel,
  inputTokens: number,
  outputTokens: number,
): boolean => {
  const cost = (inputTokens * price.input + outputTokens * price.output) / 1e6
  return (
    budget.remaining('calls') >= 1 &&
    budget.remaining('tokens') >= inputTokens + outputTokens &&
    budget.remaining('seconds') > 0 &&
    budget.remaining('cost') >= cost
  )
}
