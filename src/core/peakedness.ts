/** How peaked the distribution of a token was, from its likeliest alternatives. Pure arithmetic. */
import type { TokenLogProbability } from './language-model.ts'

/** Alternatives that a text must be written with for its peakedness to be known. */
export const PEAKEDNESS_ALTERNATIVES = 20

/** Confidences have no upper end of their own; ranges on the wire are finite. */
export const MOST_PEAKED = 100

/**
 * Mean of −ln p over the alternatives, in [0, 100]: large where one of them has nearly all the probability. Undefined
 * when the model told no alternatives. Source: DeepConf (Fu et al. 2025), which takes the 20 likeliest.
 */
export const peakednessOf = ({ alternatives }: TokenLogProbability): number | undefined => {
  if (alternatives.length === 0) return undefined
  const sum = alternatives.reduce((total, { logProbability }) => total - logProbability, 0)
  return Math.min(MOST_PEAKED, Math.max(0, sum / alternatives.length))
}

/** Lowest mean of `width` neighbours. The list must not be empty. */
export const lowestWindow = (values: readonly number[], width: number): number => {
  const length = Math.min(values.length, Math.max(1, width))
  let sum = values.slice(0, length).reduce((total, value) => total + value, 0)
  let lowest = sum
  for (let at = length; at < values.length; at++) {
    sum += values[at]! - values[at - length]!
    lowest = Math.min(lowest, sum)
  }
  return lowest / length
}
