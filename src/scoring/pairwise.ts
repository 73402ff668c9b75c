/**
 * Pairwise comparison in both orders. Judges prefer a position in about a third of the cases (Zheng et al. 2023,
 * MT-Bench), so only a verdict that survives the swap is a win; all else is a tie. Two drafts that look the same to the judge,
 * as solutions that differ only in how long results were worked out, tie unasked.
 */
import { isDeepStrictEqual } from 'node:util'
import type { CallOptions, LanguageModel } from '../core/language-model.ts'
import type { Prompt, RolePrompts } from '../core/prompts.ts'
import type { Comparator, Comparison, Draft } from '../core/scorer.ts'
import { ask } from './reply.ts'

type Side = 'left' | 'right'
type Order = Comparison['orders'][number]

/** Two calls per comparison at most, at the same time. */
export const createComparator = (model: LanguageModel, prompts: RolePrompts): Comparator => {
  const inOrder = async (
    prompt: Prompt,
    drafts: Readonly<Record<Side, Draft>>,
    first: Side,
    options: CallOptions & { readonly seed?: number },
  ): Promise<Order> => {
    const second: Side = first === 'left' ? 'right' : 'left'
    const { text } = await ask(model, prompt, options)
    const verdict = prompts.readComparison(text, drafts[first].text, drafts[second].text)
    return {
      first,
      winner: verdict === 'first' ? first : verdict === 'second' ? second : 'tie',
    }
  }
  return {
    name: 'pairwise',
    compare: async (task, left, right, options) => {
      const drafts = { left, right }
      const [leftFirst, rightFirst] = [
        prompts.compare(task, left.text, right.text),
        prompts.compare(task, right.text, left.text),
      ]
      if (isDeepStrictEqual(leftFirst, rightFirst)) return { winner: 'tie', orders: [] }
      const pair = new AbortController()
      const asked = { ...options, signal: AbortSignal.any([options.signal, pair.signal]) }
      try {
        const orders = await Promise.all([
          inOrder(leftFirst, drafts, 'left', asked),
          inOrder(rightFirst, drafts, 'right', asked),
        ])
        const agreed = orders[0].winner === orders[1].winner
        return { winner: agreed ? orders[0].winner : 'tie', orders }
      } finally {
        pair.abort() // when one order failed, the other is of no use
      }
    },
  }
}
