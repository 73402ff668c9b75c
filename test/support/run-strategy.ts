/** Runs a strategy against a fake model and holds its log to every rule that needs no knowledge of the method. */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { Compile } from 'typebox/compile'
import { BudgetLedger, type Budget } from '../../src/core/budget.ts'
import { STRATEGY_EVENTS, type RunEvent, type StrategyEvent } from '../../src/core/event.ts'
import type { PromptSet } from '../../src/core/language-model.ts'
import { createRandom } from '../../src/core/random.ts'
import { emptyUsage, foldRun, type RunState } from '../../src/core/run-state.ts'
import { NOT_STEERED, type SteeringView } from '../../src/core/steering.ts'
import type { Selection, Strategy, StrategyContext } from '../../src/core/strategy.ts'
import { ROLES, type Role, type Task } from '../../src/core/task.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { createSandbox } from '../../src/scoring/sandbox/sandbox.ts'
import { createScorers } from '../../src/scoring/scorers.ts'
import type { FakeModel } from './fake-model.ts'

/** One for all runs of a process; idle, it keeps no process alive. */
export const SANDBOX = createSandbox()

export const TASK: Task = {
  messages: [{ role: 'user', content: 'Ann has 1 apple and gets 1 more. How many has she?' }],
  sampling: { max_tokens: 64 },
}

export interface Setting {
  readonly options?: Record<string, unknown>
  readonly task?: Task
  readonly seed?: number
  readonly prompts?: PromptSet
  readonly budget?: Budget
  readonly signal?: AbortSignal
  readonly steering?: SteeringView
  /** Called with each event as it is delivered, with its number from 0. */
  readonly onEvent?: (event: StrategyEvent, index: number) => void
}

export interface Outcome {
  readonly events: readonly StrategyEvent[]
  readonly selection: Selection | undefined
  readonly thrown: unknown
}

const byRole = <Value>(make: (role: Role) => Value): Record<Role, Value> =>
  Object.fromEntries(ROLES.map((role) => [role, make(role)])) as Record<Role, Value>

export const createContext = (
  model: FakeModel,
  setting: Setting = {},
  tell: StrategyContext['tell'] = () => undefined,
): StrategyContext => {
  const models = byRole((role) => model.forRole(role))
  const prompts = byRole(() => promptsFor(setting.prompts ?? 'compact'))
  const limit = setting.budget?.calls
  const ledger = new BudgetLedger(setting.budget ?? {}, () => 0)
  const silent = (): void => undefined
  return {
    models,
    prompts,
    scorers: createScorers(models, prompts, SANDBOX),
    sandbox: SANDBOX,
    model: (id) => ({ model: { ...model.forRole('generator'), id }, prompts: prompts.generator }),
    budget: {
      remaining: (unit) =>
        unit === 'calls' && limit !== undefined ? limit - model.calls : ledger.remaining(unit),
    },
    random: createRandom(setting.seed ?? 1),
    steering: setting.steering ?? NOT_STEERED,
    signal: setting.signal ?? new AbortController().signal,
    tell,
    log: { debug: silent, info: silent, warn: silent, error: silent },
  }
}

/** Drives the generator by hand, as the runner does; what it throws is part of the outcome. */
export const runStrategy = async (
  strategy: Strategy,
  model: FakeModel,
  setting: Setting = {},
): Promise<Outcome> => {
  const events: StrategyEvent[] = []
  const deliver = (event: StrategyEvent): undefined => {
    events.push(event)
    setting.onEvent?.(event, events.length - 1)
  }
  const context = createContext(model, setting, deliver)
  let selection: Selection | undefined
  let thrown: unknown
  const run = strategy.run(setting.task ?? TASK, setting.options ?? {}, context)
  try {
    for (;;) {
      const { done, value } = await run.next()
      if (done === true) {
        selection = value
        break
      }
      deliver(value)
    }
  } catch (error) {
    thrown = error
  }
  checkLog(events, selection)
  await settle(model)
  return { events, selection, thrown }
}

/** Nothing may run on: every call has ended a few turns after the run, and none began after an abort. */
export const settle = async (model: FakeModel): Promise<void> => {
  for (let waited = 0; waited < 5 && model.running > 0; waited++) await turn()
  assert.equal(model.running, 0, 'model work runs on after the run')
}

const validators = new Map(
  STRATEGY_EVENTS.map((schema) => [schema.properties.type.const as string, Compile(schema)]),
)

type Of<Type extends StrategyEvent['type']> = Extract<StrategyEvent, { type: Type }>
const ofType = <Type extends StrategyEvent['type']>(
  events: readonly StrategyEvent[],
  type: Type,
): Of<Type>[] => events.filter((event): event is Of<Type> => event.type === type)
export { ofType }

const CANDIDATE_EVENTS = [
  'candidate.created',
  'candidate.delta',
  'candidate.completed',
  'candidate.failed',
  'candidate.dropped',
] as const
const NEEDS_TEXT: ReadonlySet<StrategyEvent['type']> = new Set([
  'candidate.scored',
  'critique.delta',
  'critique.completed',
  'answer.revised',
])
const isAboutText = (event: StrategyEvent): event is Of<'candidate.scored'> =>
  NEEDS_TEXT.has(event.type)
const isCandidateEvent = (event: StrategyEvent): event is Of<(typeof CANDIDATE_EVENTS)[number]> =>
  (CANDIDATE_EVENTS as readonly string[]).includes(event.type)

const checkCandidates = (events: readonly StrategyEvent[]): void => {
  const status: ('open' | 'completed' | 'ended')[] = []
  for (const event of events) {
    if (isAboutText(event)) {
      assert.equal(status[event.candidate], 'completed', 'it is about a complete text')
    }
    if (!isCandidateEvent(event)) continue
    switch (event.type) {
      case 'candidate.created':
        assert.equal(event.candidate, status.length, 'candidates are numbered without gaps')
        for (const parent of event.parents) assert.equal(status[parent], 'completed')
        status.push('open')
        break
      case 'candidate.delta':
        assert.equal(status[event.candidate], 'open', 'a delta lies between created and completed')
        break
      case 'candidate.completed':
        assert.equal(status[event.candidate], 'open')
        status[event.candidate] = 'completed'
        break
      case 'candidate.failed':
      case 'candidate.dropped':
        assert.equal(status[event.candidate], 'open')
        status[event.candidate] = 'ended'
    }
  }
}

/**
 * A new incumbent must have won: by score under one scorer, in both orders, by the weight of its answer, by the choice
 * of a selector, or by being what the method exists to make: the synthesis of the others, the end of a chain.
 */
const hasWon = (
  before: readonly StrategyEvent[],
  next: Of<'answer.revised'>,
  last: Of<'answer.revised'>,
): boolean => {
  const scores = ofType(before, 'candidate.scored')
  const won = scores.some(({ candidate, scorer, score }) => {
    const other = scores.findLast((e) => e.candidate === last.candidate && e.scorer === scorer)
    if (candidate !== next.candidate || score === null || other === undefined) return false
    return other.score === null || score > other.score
  })
  const wins = (candidate: number): number =>
    ofType(before, 'comparison.completed').filter(
      ({ candidates, winner }) =>
        winner === candidate && [next, last].every((e) => candidates.includes(e.candidate)),
    ).length
  const voted = ofType(before, 'vote.updated').at(-1)
  const weight = (candidate: number): number =>
    voted?.answers.find(({ candidates }) => candidates.includes(candidate))?.weight ?? 0
  if (next.reason === 'better score') return won
  if (next.reason === 'vote') return weight(next.candidate) > weight(last.candidate)
  if (next.reason === 'selected') {
    const chosen = ofType(before, 'gate.decided').findLast(({ gate }) => gate === 'selection')
    return chosen?.values['candidate'] === next.candidate
  }
  if (next.reason === 'synthesis') {
    const created = ofType(before, 'candidate.created').find(
      ({ candidate }) => candidate === next.candidate,
    )
    return created?.role === 'aggregate'
  }
  if (next.reason === 'second turn') {
    return ofType(before, 'candidate.created')[next.candidate]?.role === 'revision'
  }
  if (next.reason === 'end of a chain') {
    const taken = ofType(before, 'candidate.completed').map(({ candidate }) => candidate)
    return ofType(before, 'candidate.created').every(
      ({ candidate, parents }) => !taken.includes(candidate) || !parents.includes(next.candidate),
    )
  }
  return wins(next.candidate) > wins(last.candidate)
}

/** The form is judged where a candidate is completed, and told right behind it. */
const gainsForm = (events: readonly StrategyEvent[], next: number, last: number): boolean => {
  const form = (candidate: number): number | null | undefined =>
    ofType(events, 'candidate.scored').find(
      (scored) => scored.candidate === candidate && scored.scorer === 'form',
    )?.score
  return form(last) === 0 && form(next) !== 0
}

const checkRevisions = (events: readonly StrategyEvent[]): void => {
  const completed = ofType(events, 'candidate.completed')
  const revisions = ofType(events, 'answer.revised')
  if (revisions.length > 0) {
    assert.equal(revisions[0]!.candidate, completed[0]!.candidate, 'the first completed one leads')
    const at = events.indexOf(revisions[0]!)
    assert.equal(events[at - 1], completed[0], 'and at once')
  }
  revisions.forEach((next, index) => {
    assert.equal(next.revision, index + 1)
    const last = revisions[index - 1]
    if (last === undefined) return
    const before = events.slice(0, events.indexOf(next))
    const won =
      next.reason === 'has the form asked for'
        ? gainsForm(events, next.candidate, last.candidate)
        : next.reason === 'is not empty'
          ? last.text.trim() === ''
          : hasWon(before, next, last)
    assert.ok(won, `revision ${next.revision} replaces a better answer`)
  })
}

const AT = '2026-01-01T00:00:00.000Z'

/** The log as the runner would write it, with a terminal event that tells the last revision. */
export const fold = (events: readonly StrategyEvent[]): RunState => {
  const last = ofType(events, 'answer.revised').at(-1)
  const answer =
    last === undefined
      ? null
      : {
          text: last.text,
          candidate: last.candidate,
          revision: last.revision,
          score: last.score,
        }
  const bodies = [
    {
      type: 'run.created',
      strategy: 'x',
      options: {},
      model: 'fake',
      models: {},
      budget: {},
      seed: 1,
      assignment: null,
      metadata: {},
    },
    ...events,
    { type: 'run.completed', answer, usage: emptyUsage(), stop_reason: 'finished' },
  ]
  const log = bodies.map((event, index) => ({ run_id: 'r', sequence: index + 1, at: AT, ...event }))
  return foldRun(log as RunEvent[])!
}

export const checkLog = (
  events: readonly StrategyEvent[],
  selection: Selection | undefined,
): void => {
  for (const event of events) {
    const validator = validators.get(event.type)
    assert.ok(validator?.Check(event), `not a valid event: ${JSON.stringify(event)}`)
  }
  checkCandidates(events)
  checkRevisions(events)
  const state = fold(events)
  for (const { candidate, text } of state.revisions) {
    assert.equal(text, state.candidates[candidate]!.text, 'a revision tells the whole candidate')
  }
  if (selection === undefined) return
  assert.equal(state.answer?.candidate, selection.candidate, 'the log folds to the selection')
  const chosen = state.candidates[selection.candidate]
  assert.ok(chosen !== undefined && !['failed', 'dropped', null].includes(chosen.finish_reason))
  assert.ok(state.candidates.every(({ finish_reason }) => finish_reason !== null))
}
