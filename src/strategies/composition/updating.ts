/** One round: makes new candidates out of those there are, and scores each as soon as it is there. */
import { merge } from '../../core/merge.ts'
import type { Critique } from '../../core/prompts.ts'
import type { Events } from '../compose.ts'
import { critique, untargetedCritique } from '../parts/critique.ts'
import { firstBadStep, regrow } from '../parts/local-repair.ts'
import { nextGeneration } from '../parts/population.ts'
import { revise } from '../parts/revise.ts'
import type { Rate } from '../parts/sample-one.ts'
import { mostPromising, type TreeNode } from '../parts/tree.ts'
import type { Course } from './course.ts'
import { scoreName, stepsName } from './scorers.ts'
import type { Updater } from './updaters.ts'

type Of<Kind extends Updater['kind']> = Extract<Updater, { kind: Kind }>

const targetsOf = (course: Course, targets: 'best' | 'all'): readonly number[] =>
  targets === 'best' ? [course.refinement.pool.incumbent!] : course.generation

async function* ask(
  course: Course,
  candidate: number,
  kind: Of<'rewrite'>['critique'],
): Events<Critique | undefined> {
  if (kind === 'none') return undefined
  const { pool } = course.refinement
  const steps = pool.steps(candidate, stepsName(course.chosen.scorer))
  const found =
    kind === 'located'
      ? yield* critique(course.refinement, candidate, steps)
      : yield* untargetedCritique(course.refinement, candidate)
  if (found !== undefined) course.critiques.set(candidate, found)
  return found
}

/** Rewrites the candidate unless it was found right; returns what stands in its place. */
async function* rewrite(
  course: Course,
  parent: number,
  { kind, round, seed }: { kind: Of<'rewrite'>['critique']; round: number; seed: number },
  rate: Rate,
): Events<number> {
  const found = yield* ask(course, parent, kind)
  if (found?.verdict === 'right') return parent
  const plan = { parent, critique: found?.text, round, seed }
  const revision = yield* revise(course.refinement, plan)
  if (revision === undefined) return parent
  yield* rate(revision)
  return revision
}

/** Index of the first bad step: by the scores there are, else by a reviewer. */
async function* locate(
  course: Course,
  candidate: number,
  threshold: number,
): Events<number | undefined> {
  const steps = course.refinement.pool.steps(candidate, stepsName(course.chosen.scorer))
  if (steps !== undefined) return firstBadStep(steps, threshold)
  const found = yield* ask(course, candidate, 'located')
  return found?.verdict === 'wrong' ? (found.step ?? 1) - 1 : undefined
}

/** A candidate without a bad step is kept: refining what is right is how repairs lose. */
async function* repair(
  course: Course,
  parent: number,
  { scope, step_threshold: threshold }: Of<'repair'>,
  { round, seeds }: { round: number; seeds: readonly [number, number] },
  rate: Rate,
): Events<number> {
  const { refinement } = course
  const step = yield* locate(course, parent, threshold)
  const values = { candidate: parent, step: step === undefined ? null : step + 1, threshold }
  const outcome = step === undefined ? 'keep' : 'refine'
  yield { type: 'gate.decided', gate: 'first-bad-step', outcome, values }
  if (step === undefined) return parent
  const found = course.critiques.get(parent)?.text
  async function* rated(made: Events<number | undefined>): Events<number | undefined> {
    const candidate = yield* made
    if (candidate !== undefined) yield* rate(candidate)
    return candidate
  }
  const [localSeed, globalSeed] = seeds
  const made = [
    ...(scope === 'global' ? [] : [regrow(refinement, { parent, step, round, seed: localSeed })]),
    ...(scope === 'local'
      ? []
      : [revise(refinement, { parent, critique: found, round, seed: globalSeed })]),
  ]
  const [first, second] = yield* merge(made.map(rated))
  return first ?? second ?? parent
}

/** Scores as shares of the span between the lowest and the highest; ½ where all are equal or there is none. */
const nodesOf = ({ refinement: { pool }, chosen, considered }: Course): readonly TreeNode[] => {
  const scores = considered.map((each) => pool.score(each, scoreName(chosen.scorer)) ?? undefined)
  const known = scores.filter((score) => score !== undefined)
  const [lowest, highest] = [Math.min(...known), Math.max(...known)]
  return considered.map((candidate, at) => {
    const score = scores[at] ?? lowest
    const reward = highest > lowest ? (score - lowest) / (highest - lowest) : 0.5
    return { candidate, parent: pool.parents(candidate)[0], reward }
  })
}

async function* rewriteAll(
  course: Course,
  parents: readonly number[],
  kind: Of<'rewrite'>['critique'],
  round: number,
  rate: Rate,
): Events<readonly number[]> {
  const { random } = course.refinement.context
  return yield* merge(
    parents.map((parent) => rewrite(course, parent, { kind, round, seed: random.seed() }, rate)),
  )
}

/** The next generation; undefined when nothing could be made of this one. */
export async function* update(
  course: Course,
  round: number,
  rate: Rate,
): Events<readonly number[] | undefined> {
  const { refinement, chosen, generation } = course
  const { updater } = chosen
  const { random } = refinement.context
  switch (updater.kind) {
    case 'none':
      return undefined
    case 'aggregate':
      return yield* nextGeneration(refinement, generation, updater.k, round, rate)
    case 'rewrite':
      return yield* rewriteAll(
        course,
        targetsOf(course, updater.targets),
        updater.critique,
        round,
        rate,
      )
    case 'tree': {
      const nodes = mostPromising(nodesOf(course), updater.width, updater.exploration)
      return yield* rewriteAll(course, nodes, 'located', round, rate)
    }
    case 'repair':
      return yield* merge(
        targetsOf(course, updater.targets).map((parent) => {
          const seeds = [random.seed(), random.seed()] as const
          return repair(course, parent, updater, { round, seeds }, rate)
        }),
      )
  }
}
