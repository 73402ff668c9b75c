/** A population of candidates, replaced round by round by what is made of its members. */
import { merge } from '../../core/merge.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordablePieces } from './allowance.ts'
import { vote } from './ballot.ts'
import { revise } from './revise.ts'
import { synthesise } from './synthesis.ts'

/** One slot of a generation: K members at random become one candidate; with K = 1 the member is rewritten. */
async function* renew(
  refinement: Refinement,
  parents: readonly number[],
  round: number,
  seed: number,
): Events<number | undefined> {
  const [parent] = parents
  return parents.length === 1
    ? yield* revise(refinement, { parent: parent!, critique: undefined, round, seed })
    : yield* synthesise(refinement, { form: 'aggregate', parents, round, seed, isOneOfMany: true })
}

/**
 * The next generation, as large as the present one: all slots side by side, each from `k` distinct members drawn at
 * random; `rate` is called with each new one as soon as it is there. A slot that fails, or that the budget does not reach,
 * keeps its old member; undefined when all did.
 */
export async function* nextGeneration(
  refinement: Refinement,
  population: readonly number[],
  k: number,
  round: number,
  rate?: (candidate: number) => Events,
): Events<readonly number[] | undefined> {
  const { random } = refinement.context
  const callsEach = rate === undefined ? 1 : 2
  const slots = affordablePieces(refinement.context, population, callsEach).map(() => ({
    parents: random.shuffle(population).slice(0, k),
    seed: random.seed(),
  }))
  const made = yield* merge(
    slots.map(async function* ({ parents, seed }): Events<number | undefined> {
      const candidate = yield* renew(refinement, parents, round, seed)
      if (candidate !== undefined && rate !== undefined) yield* rate(candidate)
      return candidate
    }),
  )
  if (made.every((candidate) => candidate === undefined)) return undefined
  return population.map((member, slot) => made[slot] ?? member)
}

/** The vote of a population; one without any answer puts its first synthesis forward. Returns the leader's share. */
export async function* elect(
  { pool }: Refinement,
  population: readonly number[],
  isLast: boolean,
): Events<number> {
  const answers = yield* vote(pool, population, () => 1)
  const leader = answers[0]
  if (leader !== undefined) return leader.weight / population.length
  const first = population[0]!
  const isSynthesis = pool.role(first) === 'aggregate'
  if (isLast && isSynthesis && first !== pool.incumbent) {
    yield pool.promote(first, 'synthesis', null)
  }
  return 0
}
