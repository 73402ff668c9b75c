/**
 * Which answers of a tree are worth going on from: MCTSr (Zhang et al. 2024, arXiv:2406.07394; read in
 * trotsky1997/MathBlackBox). A node is a whole answer, an edge a critique and a rewrite. Deviations: rewards are brought
 * to [0, 1] first, so that C is comparable; values go up to the root instead of one level; a node is rewarded once, so
 * that (min + mean) / 2 of its rewards is that reward; no root says "I don't know", and no reward is cut at 95 of 100.
 */

export interface TreeNode {
  readonly candidate: number
  readonly parent: number | undefined
  /** Reward in [0, 1]. */
  readonly reward: number
}

interface Measured extends TreeNode {
  readonly value: number
  /** Of the node and all that came of it. */
  readonly visits: number
  readonly isOpen: boolean
}

const MOST_CHILDREN = 3
const EPSILON = 1e-5

/** value + C · √(ln(N_parent + 1) / (N + ε)). */
export const upperBound = (
  value: number,
  parentVisits: number,
  visits: number,
  c: number,
): number => value + c * Math.sqrt(Math.log(parentVisits + 1) / (visits + EPSILON))

/** A node takes part in the choice until it has three children and one of them is better than itself. */
const measure = (nodes: readonly TreeNode[]): ReadonlyMap<number, Measured> => {
  const measured = new Map<number, Measured>()
  // Children come after their parents, so that going backwards meets every child first.
  for (const node of nodes.toReversed()) {
    const children = nodes
      .filter(({ parent }) => parent === node.candidate)
      .map(({ candidate }) => measured.get(candidate)!)
    const best = Math.max(...children.map(({ value }) => value))
    const value = children.length === 0 ? node.reward : (node.reward + best) / 2
    const visits = children.reduce((sum, child) => sum + child.visits, 1)
    const isOpen =
      children.length < MOST_CHILDREN || children.every(({ reward }) => reward < node.reward)
    measured.set(node.candidate, { ...node, value, visits, isOpen })
  }
  return measured
}

/** The `width` open nodes with the highest upper bounds, the best first; ties go to the older node. */
export const mostPromising = (
  nodes: readonly TreeNode[],
  width: number,
  exploration: number,
): readonly number[] => {
  const measured = measure(nodes)
  const bound = ({ parent, value, visits }: Measured): number => {
    const above = parent === undefined ? undefined : measured.get(parent)
    return upperBound(value, above?.visits ?? nodes.length, visits, exploration)
  }
  return [...measured.values()]
    .filter(({ isOpen }) => isOpen)
    .toSorted((left, right) => bound(right) - bound(left) || left.candidate - right.candidate)
    .slice(0, width)
    .map(({ candidate }) => candidate)
}
