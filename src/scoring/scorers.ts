/** The scorers of one run, made of the models and prompts of its roles. */
import { RefineError } from '../core/errors.ts'
import type { LanguageModel } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Scorer, ScorerName, Scorers } from '../core/scorer.ts'
import type { Role } from '../core/task.ts'
import { createJudge } from './judge.ts'
import { createLikelihood } from './likelihood.ts'
import { createOutcomeReward } from './outcome-reward.ts'
import { createComparator } from './pairwise.ts'
import {
  canScoreSteps,
  createProcessReward,
  type Aggregate,
  type StepMemo,
} from './process-reward.ts'

export interface ScoringOptions {
  /** Default `product`, as in MAgICoRe. */
  readonly aggregate?: Aggregate
  /** Likelihood as the mean over the tokens; default false: their sum. */
  readonly likelihoodPerToken?: boolean
}

const NEEDS: Readonly<Record<ScorerName, string>> = {
  judge: 'a model that generates text',
  'outcome-reward': 'a model that generates text, scores answers or scores steps',
  'process-reward': 'a model that scores steps, or a chat model as a critic',
  likelihood: 'a generator that tells log-probabilities or scores a given text',
}

/** For one run: scorers are made on first use and kept, and remember the step scores of the run's drafts. */
export const createScorers = (
  models: Readonly<Record<Role, LanguageModel>>,
  prompts: Readonly<Record<Role, RolePrompts>>,
  { aggregate = 'product', likelihoodPerToken = false }: ScoringOptions = {},
): Scorers => {
  const { outcome_reward: outcome, process_reward: process } = models
  const steps: StepMemo = new WeakMap()
  const outcomeSteps: StepMemo = outcome.id === process.id ? steps : new WeakMap()
  const factories: Readonly<Record<ScorerName, () => Scorer>> = {
    judge: () => createJudge(models.judge, prompts.judge),
    'outcome-reward': () => createOutcomeReward(outcome, prompts.outcome_reward, outcomeSteps),
    'process-reward': () => createProcessReward(process, prompts.process_reward, aggregate, steps),
    likelihood: () => createLikelihood(models.generator, prompts.generator, likelihoodPerToken),
  }
  const { capabilities } = models.generator
  const has = (name: ScorerName): boolean => {
    if (name === 'likelihood') {
      return capabilities.log_probabilities !== 'none' || capabilities.text_scoring !== 'none'
    }
    return name !== 'process-reward' || canScoreSteps(process, prompts.process_reward)
  }
  const made = new Map<ScorerName, Scorer>()
  return {
    has,
    comparator: () => createComparator(models.judge, prompts.judge),
    scorer: (name) => {
      if (!has(name)) {
        throw new RefineError('unsupported_capability', `Scorer ${name} needs ${NEEDS[name]}.`, {
          param: 'options.scorer',
        })
      }
      const scorer = made.get(name) ?? factories[name]()
      made.set(name, scorer)
      return scorer
    },
  }
}
