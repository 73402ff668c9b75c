/** Turns a request into everything a run needs, or says which field is wrong. Nothing is started here. */
import type { Static, TObject } from 'typebox'
import type { Budget } from '../core/budget.ts'
import { invalidField, RefineError } from '../core/errors.ts'
import type { CallPriority, LanguageModel, PromptSet } from '../core/language-model.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Sandbox } from '../core/sandbox.ts'
import type { Scorers } from '../core/scorer.ts'
import type { Strategy, TaskSize } from '../core/strategy.ts'
import { ROLES, type Role, type Task } from '../core/task.ts'
import type { TraceContext } from '../core/trace.ts'
import { constraintOf } from '../core/response-format.ts'
import { validate } from '../core/validation.ts'
import type { AssignedArm } from '../experiments/encounter.ts'
import type { RunnerEvent } from '../core/event.ts'
import { promptFor } from './adapted-model.ts'
import { meetNeeds, under } from './needs.ts'
import { RunRequest } from './run-request.ts'
import { checkTask } from './task-needs.ts'
import { taskOf } from './task-request.ts'
import type { ModelDescription } from './run-service.ts'

export type RoleModels = Readonly<Record<Role, LanguageModel>>
export type PromptsByRole = Readonly<Record<Role, RolePrompts>>

/** Other wordings of questions, by their names, and the set they belong to as `set`. */
export type Wordings = Readonly<Record<string, string>>

/** The parts a run is put together from; `app.ts` supplies them. */
export interface Parts {
  readonly strategies: readonly Strategy[]
  readonly models: {
    /** @throws RefineError unknown_model */
    get(id: string): LanguageModel
    describe(): readonly ModelDescription[]
    ready(): Promise<void>
  }
  /** @throws RefineError invalid_request naming the wording that is wrong, below `/prompts`. */
  readonly prompts: (set: PromptSet, chosen?: Wordings) => RolePrompts
  readonly scorers: (models: RoleModels, prompts: PromptsByRole) => Scorers
  /** Where programs of candidates run. */
  readonly sandbox?: Sandbox
  readonly defaults: {
    readonly model: string
    readonly strategy: string
    /** Longest answer, in tokens, when the request does not say. */
    readonly maxTokens: number
    /** Limits of a run whose request sets none, unit by unit. */
    readonly budget: Budget
  }
}

export interface Plan {
  readonly task: Task
  readonly strategy: Strategy
  readonly options: Static<TObject>
  readonly model: LanguageModel
  /** Ids the request names for single roles. */
  readonly modelIds: Partial<Record<Role, string>>
  readonly models: RoleModels
  readonly prompts: PromptsByRole
  /** Those of the request, as they were given. */
  readonly wordings: Wordings | undefined
  /** Models that the options name, by id. */
  readonly named: ReadonlyMap<string, LanguageModel>
  readonly budget: Budget
  /** Seconds from the request on after which its caller stops waiting. */
  readonly deadline: number | undefined
  readonly seed: number | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  /** The arm whose fields the request was completed with. */
  readonly assigned?: AssignedArm
  /** Of the run's calls: nobody waits for a run in the background. */
  readonly priority: CallPriority
  /** Of the request, which the calls go on with. */
  readonly trace?: TraceContext | undefined
}

export const byRole = <Value>(valueOf: (role: Role) => Value): Record<Role, Value> =>
  Object.fromEntries(ROLES.map((role) => [role, valueOf(role)])) as Record<Role, Value>

const strategyNamed = (name: string, strategies: readonly Strategy[]): Strategy => {
  const found = strategies.find((strategy) => strategy.name === name)
  if (found !== undefined) return found
  const known = strategies.map((strategy) => strategy.name).join(', ')
  throw new RefineError('unknown_strategy', `There is no strategy "${name}"; there are: ${known}.`)
}

const checkCapabilities = (strategy: Strategy, model: LanguageModel): void => {
  for (const capability of strategy.requires) {
    if (model.capabilities[capability] !== 'none') continue
    throw new RefineError(
      'unsupported_capability',
      `The strategy "${strategy.name}" needs ${capability}, which the model "${model.id}" does not offer.`,
    )
  }
}

const budgetOf = (request: RunRequest, defaults: Parts['defaults']): Budget => {
  const budget = { ...defaults.budget, ...request.budget }
  const { deadline_seconds: deadline } = request
  if (deadline === undefined) return budget
  return { ...budget, seconds: Math.min(deadline, budget.seconds ?? Infinity) }
}

/** Wordings that no role of the run would ever use are a mistake. */
const promptsOf = (
  models: RoleModels,
  wordings: Wordings | undefined,
  parts: Parts,
): PromptsByRole => {
  const sets = new Map<PromptSet, RolePrompts>()
  const promptsIn = (set: PromptSet): RolePrompts => {
    const prompts = sets.get(set) ?? parts.prompts(set, wordings)
    sets.set(set, prompts)
    return prompts
  }
  const prompts = byRole((role) => promptsIn(models[role].prompts))
  if (wordings !== undefined && ROLES.every((role) => models[role].prompts === 'compact')) {
    throw invalidField(
      '/prompts',
      'cannot be used: the models of this run know the compact prompts alone, whose words they were trained on',
    )
  }
  return prompts
}

/** As `planRequest`, of what is not checked yet. */
export const planRun = (body: unknown, parts: Parts): Plan =>
  planRequest(validate(RunRequest, body), parts)

/**
 * @throws RefineError invalid_request, unknown_strategy, unknown_model, unsupported_capability, each naming the field.
 */
export const planRequest = (request: RunRequest, parts: Parts): Plan => {
  const task = taskOf(request)
  if (request.experiment !== undefined) {
    throw invalidField('/experiment/key', `There is no experiment "${request.experiment.key}".`)
  }
  const strategy = under('/strategy', () =>
    strategyNamed(request.strategy ?? parts.defaults.strategy, parts.strategies),
  )
  const options = validate(strategy.options, request.options ?? {}, '/options')
  const model = under('/model', () => parts.models.get(request.model ?? parts.defaults.model))
  const modelIds = request.models ?? {}
  const models = byRole((role) => {
    const id = modelIds[role]
    return id === undefined ? model : under(`/models/${role}`, () => parts.models.get(id))
  })
  under('/model', () => checkCapabilities(strategy, models.generator))
  const prompts = promptsOf(models, request.prompts, parts)
  const needs = strategy.needs?.(options) ?? {}
  const named = meetNeeds(strategy.name, needs, models, prompts, parts)
  const writers = [models.generator, models.refiner, ...named.values()]
  checkTask(task, { name: strategy.name, loses: needs.loses ?? [] }, writers)
  return {
    task,
    strategy,
    options,
    model,
    modelIds,
    models,
    prompts,
    wordings: request.prompts,
    named,
    budget: budgetOf(request, parts.defaults),
    deadline: request.deadline_seconds,
    seed: request.seed,
    metadata: request.metadata ?? {},
    priority: request.background === true ? 'background' : 'interactive',
  }
}

/** Of the prompt as it will be sent for a draft. */
export const promptTokensOf = async ({
  models: { generator },
  prompts,
  task,
}: Plan): Promise<number> => {
  const constraint = constraintOf(task.responseFormat)
  const messages = promptFor(generator, prompts.generator.solve(task), constraint)
  await generator.prepareCount?.(messages, task.tools)
  return generator.countTokens(messages, task.tools)
}

/**
 * Size of the task for the generator, with the answer limited to what the context leaves. The models must be ready.
 * @throws RefineError context_length_exceeded
 */
export const measureTask = async (plan: Plan, defaults: Parts['defaults']): Promise<TaskSize> => {
  const { generator } = plan.models
  const promptTokens = await promptTokensOf(plan)
  const room = (generator.contextLength ?? Infinity) - promptTokens
  if (room < 1) {
    throw new RefineError(
      'context_length_exceeded',
      `The prompt has ${promptTokens} tokens; the context of "${generator.id}" holds ${generator.contextLength}.`,
    )
  }
  const maxTokens = Math.min(plan.task.sampling.max_tokens ?? defaults.maxTokens, room)
  return { promptTokens, maxTokens, looksTwice: plan.prompts.reviewer.secondLook !== undefined }
}

/** What the first event of the run tells of its plan. */
export const createdBody = (
  plan: Plan,
  seed: number,
): Extract<RunnerEvent, { type: 'run.created' }> => ({
  type: 'run.created',
  strategy: plan.strategy.name,
  options: plan.options,
  model: plan.model.id,
  models: plan.modelIds,
  budget: plan.budget,
  ...(Object.keys(plan.task.sampling).length > 0 && { sampling: plan.task.sampling }),
  seed,
  prompts: byRole((role) => ({ set: plan.prompts[role].name, hash: plan.prompts[role].hash })),
  assignment: plan.assigned?.assignment ?? null,
  metadata: plan.metadata,
})
