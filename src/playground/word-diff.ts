/** What changed between two texts, word by word (Myers, "An O(ND) Difference Algorithm", 1986, greedy form). */
export interface Change {
  readonly kind: 'same' | 'added' | 'removed'
  readonly text: string
}

/** Edits looked for at most: time and memory grow with their square. Texts further apart are shown as replaced. */
const MAX_EDITS = 400

/** Words with the white space before them as tokens of their own. */
const tokensOf = (text: string): string[] =>
  text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []

type Frontier = Map<number, number>

/** The frontiers of each number of edits up to the one that reaches the end; undefined when there are too many. */
const search = (before: readonly string[], after: readonly string[]): Frontier[] | undefined => {
  const trace: Frontier[] = []
  const reached: Frontier = new Map([[1, 0]])
  for (let edits = 0; edits <= MAX_EDITS; edits++) {
    trace.push(new Map(reached))
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const [below, above] = [reached.get(diagonal + 1) ?? -1, reached.get(diagonal - 1) ?? -1]
      let x = diagonal === -edits || (diagonal !== edits && above < below) ? below : above + 1
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal])
        x++
      reached.set(diagonal, x)
      if (x >= before.length && x - diagonal >= after.length) return trace
    }
  }
  return undefined
}

/** Walks the frontiers back from the end. */
const walk = (trace: readonly Frontier[], before: readonly string[], after: readonly string[]) => {
  const changes: Change[] = []
  let [x, y] = [before.length, after.length]
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reached = trace[edits]!
    const diagonal = x - y
    const [below, above] = [reached.get(diagonal + 1) ?? -1, reached.get(diagonal - 1) ?? -1]
    const isDown = diagonal === -edits || (diagonal !== edits && above < below)
    const from = isDown ? diagonal + 1 : diagonal - 1
    const startX = edits === 0 ? 0 : reached.get(from)!
    const startY = edits === 0 ? 0 : startX - from
    while (x > startX && y > startY && before[x - 1] === after[y - 1]) {
      changes.push({ kind: 'same', text: before[--x]! })
      y--
    }
    if (edits === 0) break
    if (isDown) changes.push({ kind: 'added', text: after[--y]! })
    else changes.push({ kind: 'removed', text: before[--x]! })
  }
  return changes.toReversed()
}

const joined = (changes: readonly Change[]): Change[] => {
  const runs: Change[] = []
  for (const { kind, text } of changes) {
    const last = runs.at(-1)
    if (last?.kind === kind) runs[runs.length - 1] = { kind, text: last.text + text }
    else runs.push({ kind, text })
  }
  return runs
}

/** The texts as runs that stayed, came and went; what stayed and came adds up to `after`. */
export const wordDiff = (before: string, after: string): Change[] => {
  const [old, fresh] = [tokensOf(before), tokensOf(after)]
  const trace = search(old, fresh)
  if (trace !== undefined) return joined(walk(trace, old, fresh))
  return joined([
    { kind: 'removed', text: before },
    { kind: 'added', text: after },
  ])
}
