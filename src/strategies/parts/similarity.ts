/** How alike two texts are, in [0, 1], by their words. No model takes part. */

const MOST_WORDS = 400

/** Lower case, punctuation aside; words beyond 400 are left out, which bounds the work. */
const tokensOf = (text: string): readonly string[] =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MOST_WORDS)

/** Harmonic mean of the shares that `common` is of both lengths. */
const balanced = (common: number, left: number, right: number): number =>
  left + right === 0 ? 1 : (2 * common) / (left + right)

/** F measure of the words two texts share, each counted as often as it stands in both (Rouge-1). */
export const wordOverlap = (left: string, right: string): number => {
  const [first, second] = [tokensOf(left), tokensOf(right)]
  const counts = new Map<string, number>()
  for (const word of first) counts.set(word, (counts.get(word) ?? 0) + 1)
  let common = 0
  for (const word of second) {
    const left = counts.get(word) ?? 0
    if (left === 0) continue
    counts.set(word, left - 1)
    common++
  }
  return balanced(common, first.length, second.length)
}

/** F measure of the longest common subsequence of words (Rouge-L, Lin 2004). */
export const rougeL = (left: string, right: string): number => {
  const [first, second] = [tokensOf(left), tokensOf(right)]
  let previous = Array.from({ length: second.length + 1 }, () => 0)
  for (const word of first) {
    const current = [0]
    for (const [at, other] of second.entries()) {
      current.push(word === other ? previous[at]! + 1 : Math.max(previous[at + 1]!, current[at]!))
    }
    previous = current
  }
  return balanced(previous.at(-1)!, first.length, second.length)
}

export const SIMILARITIES = { 'word-overlap': wordOverlap, 'rouge-l': rougeL } as const
export type SimilarityName = keyof typeof SIMILARITIES

/** Mean similarity of each text to all others; a text without others is like itself. */
export const consensusOf = (texts: readonly string[], name: SimilarityName): number[] => {
  const sums = texts.map(() => 0)
  for (const [left, text] of texts.entries()) {
    for (let right = left + 1; right < texts.length; right++) {
      const alike = SIMILARITIES[name](text, texts[right]!)
      sums[left]! += alike
      sums[right]! += alike
    }
  }
  return sums.map((sum) => (texts.length < 2 ? 1 : sum / (texts.length - 1)))
}
