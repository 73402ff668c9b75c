/** Whether what was expected came true. Wire data, hence snake_case. */
import type { Expectation } from '../expectation.ts'
import { mean, share } from '../grouping.ts'
import { tokensOf, type RunMeasure } from '../measure.ts'
import { differenceOf, type Difference } from './difference.ts'

export interface Finding extends Expectation {
  readonly difference: Difference
  /** Mean tokens of the arm by those of the other; null where that spent none. */
  readonly tokens_ratio: number | null
  /** By the 95 % interval of the difference, not corrected for the number of expectations. */
  readonly verdict: 'confirmed' | 'refuted' | 'undecided'
}

const DEFAULT_MARGIN = 0.05

const verdictOf = (
  { expect, margin = DEFAULT_MARGIN }: Expectation,
  { low, high }: Difference,
): Finding['verdict'] => {
  const [least, most] = expect === 'below' ? [-high, -low] : [low, high]
  const bar = expect === 'kept' ? -margin : 0
  return least > bar ? 'confirmed' : most < bar ? 'refuted' : 'undecided'
}

/** Those whose arms both have runs. `seed`: of the bootstrap, where items repeat. */
export const findingsOf = (
  expectations: readonly Expectation[],
  runs: ReadonlyMap<string, readonly RunMeasure[]>,
  seed: number,
): Finding[] =>
  expectations.flatMap((expectation) => {
    const [own, other] = [runs.get(expectation.arm) ?? [], runs.get(expectation.against) ?? []]
    const difference = differenceOf(own, other, seed)
    if (difference === null) return []
    const verdict = verdictOf(expectation, difference)
    const ratio = share(mean(own.map(tokensOf)), mean(other.map(tokensOf)))
    return [{ ...expectation, difference, tokens_ratio: ratio, verdict }]
  })
