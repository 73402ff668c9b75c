/** Plans runs that take part in experiments: the arm of the unit says what the request leaves open. */
import { hash } from 'node:crypto'
import { invalidField, RefineError } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import type { Arm, Experiment } from '../experiments/experiment.ts'
import type { DefinitionChecks } from '../experiments/experiment-rules.ts'
import type { Experiments } from '../experiments/experiments.ts'
import { planRequest, planRun, type Parts, type Plan } from './plan.ts'
import { RunRequest } from './run-request.ts'
import { taskOf } from './task-request.ts'

const below = <Value>(pointer: string, work: () => Value): Value => {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof RefineError)) throw cause
    const fields = cause.fields.map((field) => ({ ...field, pointer: pointer + field.pointer }))
    const message = cause.message.startsWith('/') ? cause.message : `: ${cause.message}`
    throw new RefineError('invalid_request', pointer + message, { fields, cause })
  }
}

/** Looks up the strategy, options and models of an arm as those of a request, with pointers below the arm. */
export const definitionChecks = (parts: Parts): DefinitionChecks => ({
  arm: (arm, pointer) => below(pointer, () => planRun({ input: 'x', ...fieldsOf(arm) }, parts)),
  judge: (model, pointer) => below(pointer, () => parts.models.get(model)),
})

type ArmFields = Pick<
  RunRequest,
  'strategy' | 'options' | 'model' | 'models' | 'budget' | 'sampling'
>

const fieldsOf = ({ strategy, options, model, models, budget, sampling }: Arm): ArmFields => ({
  strategy,
  ...(options !== undefined && { options }),
  ...(model !== undefined && { model }),
  ...(models !== undefined && { models }),
  ...(budget !== undefined && { budget }),
  ...(sampling !== undefined && { sampling }),
})

/** Fields that a request may share with an arm, part by part. */
const SHARED = ['models', 'budget', 'sampling'] as const

/**
 * What any arm says, no request may: its answer must not depend on which arm the unit got.
 * @throws RefineError invalid_request naming the field
 */
const checkConflicts = (request: RunRequest, { key, arms }: Experiment): void => {
  const conflict = (pointer: string): RefineError =>
    invalidField(pointer, `is decided by the experiment "${key}"; leave it out`)
  if (request.strategy !== undefined) throw conflict('/strategy')
  if (request.options !== undefined) throw conflict('/options')
  if (request.model !== undefined && arms.some(({ model }) => model !== undefined)) {
    throw conflict('/model')
  }
  for (const field of SHARED) {
    const taken = new Set(arms.flatMap((arm) => Object.keys(arm[field] ?? {})))
    const part = Object.keys(request[field] ?? {}).find((name) => taken.has(name))
    if (part !== undefined) throw conflict(`/${field}/${part}`)
  }
}

/** The request with what the arm says, no longer of an experiment. */
export const withArm = (request: RunRequest, arm: Arm): RunRequest => {
  const { experiment: _, ...rest } = request
  const fields = fieldsOf(arm)
  return {
    ...rest,
    ...fields,
    ...(rest.models && { models: { ...rest.models, ...fields.models } }),
    ...(rest.budget && { budget: { ...rest.budget, ...fields.budget } }),
    ...(rest.sampling && { sampling: { ...rest.sampling, ...fields.sampling } }),
  }
}

export class ArmPlanner {
  readonly #parts: Parts
  readonly #experiments: Experiments | undefined
  readonly #mayForce: (owner: string) => boolean

  constructor(
    parts: Parts,
    experiments: Experiments | undefined,
    mayForce: (owner: string) => boolean = () => true,
  ) {
    this.#parts = parts
    this.#experiments = experiments
    this.#mayForce = mayForce
  }

  /** @throws RefineError as `planRun`, and invalid_request for an experiment or arm that cannot be had */
  async plan(body: unknown, owner: string): Promise<Plan> {
    const { experiment } = (body ?? {}) as { readonly experiment?: unknown }
    if (experiment === undefined || this.#experiments === undefined) {
      return planRun(body, this.#parts)
    }
    const request = validate(RunRequest, body)
    const { messages } = taskOf(request)
    const nameOf = (part: unknown): string => hash('sha256', `${owner}:${JSON.stringify(part)}`)
    // However it goes on, a conversation begins with the same words.
    const first = messages.findIndex(({ role }) => role === 'user')
    const opening = first < 0 ? messages : messages.slice(0, first + 1)
    const sources = { conversation: nameOf(opening), question: nameOf(messages) }
    const caller = { ...sources, mayForce: this.#mayForce(owner) }
    const assigned = await this.#experiments.assign(request.experiment!, caller)
    checkConflicts(request, assigned.experiment)
    return { ...planRequest(withArm(request, assigned.arm), this.#parts), assigned }
  }
}
