/** Options, cost and settling of ID-sampling's growing allowance. */
import type { RoleCost, TaskSize } from '../../core/strategy.ts'
import { FORCED_TOKENS } from './cost.ts'
import type { Schedule } from './deepening.ts'
import * as options from './options.ts'

export const SCHEDULE_OPTIONS = {
  allowance: options.integer({
    default: 512,
    minimum: 1,
    maximum: 100_000,
    description:
      'Tokens before the first reflection, at most the longest response divided by the growth.',
  }),
  growth: options.number({
    default: 2,
    minimum: 1.1,
    maximum: 16,
    description: 'Factor by which the allowance grows at each reflection.',
  }),
  triggers: options.integer({
    default: 4,
    minimum: 0,
    maximum: 16,
    description: 'Largest number of reflections in one response.',
  }),
  max_tokens: options.integer({
    default: 4096,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Longest response in tokens, reflections aside; the task’s own limit holds too.',
  }),
}

/** More than the reflection of any prompt set takes. */
const REFLECTION_TOKENS = 48

export const scheduleOf = (
  { allowance, growth, triggers }: Omit<Schedule, 'limit'>,
  limits: readonly (number | undefined)[],
): Schedule => {
  const limit = Math.min(...limits.filter((value) => value !== undefined))
  const roomToGrow = Math.max(1, Math.floor(limit / growth))
  return { allowance: Math.min(allowance, roomToGrow), growth, triggers, limit }
}

/** A stage for each allowance, and one call that forces an answer. */
export const chainCost = (
  { promptTokens }: TaskSize,
  n: number,
  triggers: number,
  longest: number,
): RoleCost => {
  const calls = n * (triggers + 2)
  const inputTokens =
    calls * (promptTokens + longest + triggers * REFLECTION_TOKENS + FORCED_TOKENS)
  return { role: 'generator', calls, inputTokens, outputTokens: n * (longest + FORCED_TOKENS) }
}

/** The task with candidates as long as a response with all its reflections and a forced answer. */
export const deepened = (size: TaskSize, triggers: number, longest: number): TaskSize => ({
  ...size,
  maxTokens: Math.max(size.maxTokens, longest + triggers * REFLECTION_TOKENS + 2 * FORCED_TOKENS),
})
