/** Gates of a composition: whether the vote of the candidates is easy enough to leave it as it is. */
import type { StopReason, StrategyEvent } from '../../core/event.ts'
import { countVotes, effectiveAnswers } from '../../core/vote.ts'
import { difficultyOf } from '../solver-reviewer-refiner.ts'
import { certaintyOf } from '../parts/certainty.ts'
import * as options from '../parts/options.ts'
import type { Pool } from '../parts/pool.ts'
import type { Chosen, Menu } from './kinds.ts'

const most = (byDefault: number) =>
  options.number({
    default: byDefault,
    minimum: 1,
    maximum: 256,
    description: 'A vote with at most this many effective answers, exp(entropy), is easy.',
  })

export const GATE = {
  name: 'gate',
  byDefault: 'none',
  description: 'What decides before each round whether there is anything to refine.',
  kinds: {
    none: {},
    agreement: {
      share: options.number({
        default: 0.75,
        minimum: 0,
        maximum: 1,
        description: 'Share of the votes from which the leading answer holds.',
      }),
    },
    difficulty: { effective_answers: most(2) },
    'self-check': {
      certainty: options.number({
        default: 1,
        minimum: 0,
        maximum: 10,
        description: 'ln of first over second votes, from which the vote holds.',
      }),
    },
    magicore: {
      effective_answers: most(3),
      mean: options.number({ default: 1, minimum: 0, maximum: 2, description: 'Average reward.' }),
      deviation: options.number({
        default: 0.5,
        minimum: 0.01,
        maximum: 2,
        description: 'Standard deviation of the reward.',
      }),
    },
  },
} as const satisfies Menu
export type GateChoice = Chosen<typeof GATE.kinds>

type Gate = Exclude<GateChoice, { readonly kind: 'none' }>

interface Finding {
  readonly isEasy: boolean
  readonly values: Readonly<Record<string, number | null>>
}

const find = (pool: Pool, gate: Gate, candidates: readonly number[]): Finding => {
  const votes = countVotes(
    candidates.map((candidate) => ({ candidate, answer: pool.answer(candidate), weight: 1 })),
  )
  switch (gate.kind) {
    case 'agreement': {
      const cast = votes.reduce((sum, { weight }) => sum + weight, 0)
      const share = (votes[0]?.weight ?? 0) / Math.max(1, cast)
      return { isEasy: votes.length > 0 && share >= gate.share, values: { share } }
    }
    case 'difficulty': {
      const effective = effectiveAnswers(votes)
      const isEasy = votes.length > 0 && effective <= gate.effective_answers * (1 + 1e-12)
      return { isEasy, values: { effective_answers: effective } }
    }
    case 'self-check': {
      const certainty = certaintyOf(pool, candidates)
      const told = Number.isFinite(certainty) ? certainty : null
      return { isEasy: certainty >= gate.certainty, values: { certainty: told } }
    }
    case 'magicore': {
      const found = difficultyOf(pool, candidates, gate)
      const { byOutcome, byProcess, z } = found
      const values = {
        effective_answers_by_outcome: byOutcome,
        effective_answers_by_process: byProcess,
        z,
      }
      return { isEasy: found.agrees || found.isGood, values }
    }
  }
}

/** Tells what the gate found; an easy vote ends the run by agreement. */
export function* decideGate(
  pool: Pool,
  gate: GateChoice,
  candidates: readonly number[],
): Generator<StrategyEvent, StopReason | undefined, void> {
  if (gate.kind === 'none') return undefined
  const { isEasy, values } = find(pool, gate, candidates)
  yield {
    type: 'gate.decided',
    gate: gate.kind,
    outcome: isEasy ? 'easy' : 'hard',
    values: { ...values },
  }
  return isEasy ? 'agreement' : undefined
}
