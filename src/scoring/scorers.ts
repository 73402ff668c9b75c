/** The scorers of one run, made of the models and prompts of its roles. */
import { RefineError } from '../core/errors.ts'
import type { LanguageModel } from '../core/language-model.ts'
import { PEAKEDNESS_ALTERNATIVES } from '../core/peakedness.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Sandbox } from '../core/sandbox.ts'
import type { Scorer, ScorerName, Scorers, ScorerSettings } from '../core/scorer.ts'
import type { Role } from '../core/task.ts'
import { createExecution } from './execution.ts'
import { createJudge } from './judge.ts'
import { createLikelihood } from './likelihood.ts'
import { createOutcomeReward } from './outcome-reward.ts'
import { createComparator } from './pairwise.ts'
import { canScoreSteps, createProcessReward, type StepMemo } from './process-reward.ts'
import { canGrade, createRubric } from './rubric.ts'
import { createSelfCertainty, createTokenConfidence } from './token-confidence.ts'

const NEEDS: Readonly<Record<ScorerName, string>> = {
  judge: 'a model that generates text',
  rubric: 'a judge whose prompts have words for a rubric',
  'outcome-reward': 'a model that generates text, scores answers or scores steps',
  'process-reward': 'a model that scores steps, or a chat model as a critic',
  likelihood: 'a generator that tells log-probabilities or scores a given text',
  'self-certainty': 'a generator that tells log-probabilities',
  'token-confidence': 'a generator that tells log-probabilities',
  execution: 'a server with a sandbox',
}

/** What the scorers of a run ask of the tokens of its candidates. */
const ALTERNATIVES_FOR: Partial<Record<ScorerName, number>> = {
  likelihood: 0,
  'self-certainty': PEAKEDNESS_ALTERNATIVES,
  'token-confidence': PEAKEDNESS_ALTERNATIVES,
}

type Models = Readonly<Record<Role, LanguageModel>>
type Prompts = Readonly<Record<Role, RolePrompts>>

const factoriesOf = (models: Models, prompts: Prompts, sandbox: Sandbox | undefined) => {
  const { outcome_reward: outcome, process_reward: process } = models
  const steps: StepMemo = new WeakMap()
  const outcomeSteps: StepMemo = outcome.id === process.id ? steps : new WeakMap()
  return {
    judge: () => createJudge(models.judge, prompts.judge),
    rubric: ({ criteria }) => createRubric(models.judge, prompts.judge, criteria),
    'outcome-reward': () => createOutcomeReward(outcome, prompts.outcome_reward, outcomeSteps),
    'process-reward': ({ aggregate }) =>
      createProcessReward(process, prompts.process_reward, aggregate, steps),
    likelihood: ({ perToken }) => createLikelihood(models.generator, prompts.generator, perToken),
    'self-certainty': createSelfCertainty,
    'token-confidence': ({ window = 0.1 }) => createTokenConfidence(window),
    execution: () => createExecution(sandbox!, prompts.generator),
  } satisfies Record<ScorerName, (settings: ScorerSettings) => Scorer>
}

/**
 * For one run: scorers are made on first use and kept, and remember the step scores of the run's drafts. Without a
 * sandbox there is no execution.
 */
export const createScorers = (models: Models, prompts: Prompts, sandbox?: Sandbox): Scorers => {
  const factories = factoriesOf(models, prompts, sandbox)
  const { capabilities } = models.generator
  const tellsTokens = capabilities.log_probabilities !== 'none'
  const can: Partial<Record<ScorerName, boolean>> = {
    likelihood: tellsTokens || capabilities.text_scoring !== 'none',
    'process-reward': canScoreSteps(models.process_reward, prompts.process_reward),
    'self-certainty': tellsTokens,
    'token-confidence': tellsTokens,
    execution: sandbox !== undefined,
    rubric: canGrade(prompts.judge),
  }
  const has = (name: ScorerName): boolean => can[name] ?? true
  const made = new Map<string, Scorer>()
  let alternatives: number | undefined
  return {
    has,
    get alternatives() {
      return alternatives
    },
    comparator: () => createComparator(models.judge, prompts.judge),
    scorer: (name, settings = {}) => {
      if (!has(name)) {
        throw new RefineError('unsupported_capability', `Scorer ${name} needs ${NEEDS[name]}.`, {
          param: 'options.scorer',
        })
      }
      const asked = ALTERNATIVES_FOR[name]
      if (asked !== undefined) alternatives = Math.max(asked, alternatives ?? 0)
      const key = JSON.stringify([name, settings])
      const scorer = made.get(key) ?? factories[name](settings)
      made.set(key, scorer)
      return scorer
    },
  }
}
