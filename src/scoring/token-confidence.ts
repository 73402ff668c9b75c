/**
 * How sure the model was while it wrote, from the alternatives of each token; no call of its own.
 *
 * Sources: DeepConf (Fu et al. 2025; read in facebookresearch/deepconf): the confidence of a token is the mean of
 * −ln p over its 20 likeliest alternatives, large where the distribution is peaked; that of a text is the lowest mean of
 * a sliding window. Self-certainty (Kang et al. 2025, arXiv:2502.18581) is the divergence from the uniform distribution
 * averaged over the whole text. Deviations: the window is a share of the text, since 2,048 tokens mean nothing for short
 * answers; self-certainty knows 20 alternatives instead of the whole vocabulary, and is a score like any other instead of
 * the weight of a Borda vote.
 */
import { lowestWindow, MOST_PEAKED } from '../core/peakedness.ts'
import type { Draft, Score, Scorer } from '../core/scorer.ts'

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

const scorerOf = (name: string, reduce: (values: readonly number[]) => number): Scorer => ({
  name,
  range: [0, MOST_PEAKED],
  score: async (_, { confidences = [] }: Draft): Promise<Score> => {
    if (confidences.length > 0) return { score: reduce(confidences) }
    const message = 'The model told no alternatives to the tokens of this draft.'
    return { score: null, warning: { code: 'confidence_unknown', message } }
  },
})

/** Range [0, 100]; no call. */
export const createSelfCertainty = (): Scorer => scorerOf('self-certainty', mean)

/** Range [0, 100]; no call. `window` is the share of the text, in (0, 1]. */
export const createTokenConfidence = (window: number): Scorer =>
  scorerOf('token-confidence', (values) => lowestWindow(values, Math.ceil(window * values.length)))
