/** What makes the first candidates: the menu, what each kind needs and costs. */
import { Type } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import { cost, draftCost, PARAPHRASE_TOKENS, WORDING_TOKENS } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import { PRINTED_TOKENS } from '../parts/program.ts'
import { chainCost, deepened, SCHEDULE_OPTIONS } from '../parts/schedule.ts'
import type { Chosen, Menu } from './kinds.ts'

/** General ways to begin, from the abstract to the concrete, after the guidelines of ReGenesis. */
const GUIDELINES = [
  'First say in your own words what is asked and what is given, then work from there.',
  'Split the task into smaller ones, and solve them one after the other.',
  'Work backwards: begin with what must hold in the end.',
  'Look for a simpler case of the task, solve that, and carry the solution over.',
  'Write down every quantity or constraint in a table before you do anything else.',
  'Look for what could go wrong with the obvious way, then choose a safer one.',
]

export const SAMPLER = {
  name: 'sampler',
  byDefault: 'plain',
  description: 'What makes the first candidates.',
  kinds: {
    plain: {
      n: options.samples(4),
      batch: options.integer({
        default: 256,
        minimum: 1,
        maximum: 256,
        description:
          'Samples drawn at the same time: fewer give a stopper the chance to save some.',
      }),
    },
    models: {
      models: options.modelIds('Ids of the models that answer, in turn.'),
      n: options.samples(4),
    },
    'iterative-deepening': { n: options.samples(4), ...SCHEDULE_OPTIONS },
    guidelines: {
      n: options.samples(4),
      guidelines: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 400 }), {
          default: GUIDELINES,
          minItems: 1,
          maxItems: 64,
          description: 'Ways to begin, given to the samples in turn (ReGenesis).',
        }),
      ),
    },
    paraphrase: {
      n: options.samples(4),
      paraphrases: options.integer({
        default: 3,
        minimum: 1,
        maximum: 16,
        description: 'Wordings of the question beside its own, answered in turn.',
      }),
    },
    program: { n: options.samples(4) },
    power: {
      n: options.samples(1),
      alpha: options.number({
        default: 4,
        minimum: 1,
        maximum: 32,
        description: 'Exponent of the model’s own distribution.',
      }),
      steps: options.integer({
        default: 8,
        minimum: 0,
        maximum: 256,
        description: 'Metropolis–Hastings steps of each chain.',
      }),
    },
  },
} as const satisfies Menu
export type Sampler = Chosen<typeof SAMPLER.kinds>

/** @throws RefineError invalid_request */
export const checkSampler = (sampler: Sampler): void => {
  if (sampler.kind === 'models' && sampler.models.length === 0) {
    throw invalidField('/options/sampler/models', 'must name at least one model')
  }
}

export const samplerNeeds = (sampler: Sampler): Needs => {
  switch (sampler.kind) {
    case 'plain':
      return {}
    case 'models':
      return {
        models: sampler.models.map((id, at) => ({ id, pointer: `/options/sampler/models/${at}` })),
      }
    case 'iterative-deepening':
      return { capabilities: ['assistant_continuation'], loses: ['tools', 'response_format'] }
    case 'guidelines':
      return { prompts: [{ role: 'generator', form: 'solveBy' }] }
    case 'paraphrase':
      return { prompts: [{ role: 'generator', form: 'paraphrase' }] }
    case 'program':
      return {
        prompts: [{ role: 'generator', form: 'solveByProgram' }],
        sandbox: true,
        loses: ['tools', 'response_format'],
      }
    case 'power':
      return {
        capabilities: ['assistant_continuation', 'log_probabilities'],
        loses: ['tools', 'response_format'],
      }
  }
}

/** The task with candidates as long as the sampler may make them. */
export const sizeOf = (size: TaskSize, sampler: Sampler): TaskSize => {
  if (sampler.kind === 'program') return { ...size, maxTokens: size.maxTokens + PRINTED_TOKENS }
  return sampler.kind === 'iterative-deepening'
    ? deepened(size, sampler.triggers, sampler.max_tokens)
    : size
}

export const samplerCost = (size: TaskSize, sampler: Sampler): RoleCost[] => {
  const { n } = sampler
  const { promptTokens, maxTokens } = size
  switch (sampler.kind) {
    case 'plain':
      return [draftCost(size, n)]
    case 'models':
      return sampler.models.map((model, at) => {
        const calls = Math.floor(n / sampler.models.length)
        return { ...draftCost(size, calls + (at < n % sampler.models.length ? 1 : 0)), model }
      })
    case 'iterative-deepening':
      return [chainCost(size, n, sampler.triggers, sampler.max_tokens)]
    case 'guidelines':
      return [cost('generator', n, promptTokens + WORDING_TOKENS, maxTokens)]
    case 'paraphrase': {
      const { paraphrases } = sampler
      return [
        cost('generator', paraphrases, promptTokens + WORDING_TOKENS, PARAPHRASE_TOKENS),
        cost('generator', n, promptTokens + PARAPHRASE_TOKENS, maxTokens),
      ]
    }
    case 'program': // and a plain draft where no program runs
      return [cost('generator', n + 1, promptTokens + WORDING_TOKENS, maxTokens)]
    case 'power':
      return [cost('generator', n * (1 + sampler.steps), promptTokens + maxTokens, maxTokens)]
  }
}
