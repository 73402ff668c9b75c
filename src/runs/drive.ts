/** Drives one strategy from its first event to the one terminal event. The only place where terminal events are made. */
import { findBehaviours } from '../core/behaviours.ts'
import { BudgetLedger, type Budget } from '../core/budget.ts'
import { RefineError } from '../core/errors.ts'
import type { Answer, StrategyEvent } from '../core/event.ts'
import { measureRun } from '../core/measures.ts'
import { createRandom } from '../core/random.ts'
import type { Log, Selection, StrategyContext } from '../core/strategy.ts'
import { constraintOf } from '../core/response-format.ts'
import type { Task } from '../core/task.ts'
import { faultOf, proposalOf } from '../core/validity.ts'
import { salvage, showAnswer, withScore } from './best-answer.ts'
import type { LiveRun } from './live-run.ts'
import { adaptModel, adaptations } from './adapted-model.ts'
import { endingOf, terminalEvent, type Ending } from './ending.ts'
import { meterModel } from './metered-model.ts'
import { orAbort, orAbortEach } from './or-abort.ts'
import { measureTask, type Parts, type Plan, type RoleModels } from './plan.ts'
import { Stop } from './stop.ts'
import { UsageAccount } from './usage-account.ts'

interface Session {
  readonly live: LiveRun
  readonly ledger: BudgetLedger
  readonly account: UsageAccount
}

/** Events after which the spending is told; deltas are too many. */
const TELLS_BUDGET: ReadonlySet<StrategyEvent['type']> = new Set([
  'candidate.completed',
  'candidate.scored',
  'critique.completed',
  'comparison.completed',
])

const tellBudget = ({ live, ledger }: Session): Promise<void> | undefined =>
  live.append({ type: 'budget.updated', ...ledger.status() })

/** Tells where the text of a completed candidate verifies, turns back and so on. */
const observe = async (live: LiveRun, candidate: number): Promise<void> => {
  const marks = findBehaviours(live.state.candidates[candidate]?.text ?? '')
  if (marks.length > 0)
    await live.append({ type: 'behaviours.observed', candidate, marks: [...marks] })
}

const consume = async (
  generator: AsyncGenerator<StrategyEvent, Selection, void>,
  session: Session,
): Promise<Selection> => {
  const { live, account } = session
  const orEnd = orAbortEach(live.controller.signal)
  try {
    for (;;) {
      const step = await orEnd(generator.next())
      if (step.done === true) return step.value
      await live.append(step.value)
      if (step.value.type === 'candidate.completed') await observe(live, step.value.candidate)
      if (TELLS_BUDGET.has(step.value.type) && account.takeChange()) await tellBudget(session)
    }
  } finally {
    // Not awaited: the abort below ends whatever the generator still waits for.
    generator.return(undefined as never).catch(() => undefined)
  }
}

const contextOf = (
  plan: Plan,
  session: Session,
  parts: Parts,
  seed: number,
  log: Log,
): StrategyContext => {
  const { ledger, account, live } = session
  const models = Object.fromEntries(
    Object.entries(plan.models).map(([role, model]) => [
      role,
      adaptModel(meterModel(model, role as keyof RoleModels, ledger, account, plan)),
    ]),
  ) as RoleModels
  return {
    models,
    prompts: plan.prompts,
    scorers: parts.scorers(models, plan.prompts),
    ...(parts.sandbox !== undefined && { sandbox: parts.sandbox }),
    model: (id) => {
      const named = plan.named.get(id)
      if (named === undefined) {
        throw new RefineError('unknown_model', `The plan of the run knows no model "${id}".`)
      }
      const model = adaptModel(meterModel(named, 'generator', ledger, account, plan))
      return { model, prompts: parts.prompts(named.prompts, plan.wordings) }
    },
    budget: ledger,
    random: createRandom(seed),
    steering: live.steering,
    signal: live.controller.signal,
    tell: (delta) => live.append(delta),
    log,
  }
}

const warnDegraded = async ({ strategy, models, task }: Plan, live: LiveRun): Promise<void> => {
  const readers = [models.reviewer, models.judge]
  const constraint = constraintOf(task.responseFormat)
  for (const adaptation of adaptations(task.messages, constraint, models.generator, readers)) {
    await live.append({ type: 'warning', ...adaptation })
  }
  for (const capability of strategy.requires) {
    if (models.generator.capabilities[capability] !== 'emulated') continue
    const message = `"${models.generator.id}" offers ${capability} only by emulation.`
    await live.append({ type: 'warning', code: 'degraded_capability', message })
  }
}

const execute = async (
  plan: Plan,
  session: Session,
  parts: Parts,
  seed: number,
  log: Log,
  starting: () => Promise<void>,
): Promise<Ending> => {
  const { live } = session
  try {
    const loading = [...new Set([...Object.values(plan.models), ...plan.named.values()])].map(
      (model) => model.ready(),
    )
    await orAbort(Promise.all(loading), live.controller.signal)
    const size = measureTask(plan, parts.defaults)
    const { maxTokens } = await orAbort(size, live.controller.signal)
    const task: Task = { ...plan.task, sampling: { ...plan.task.sampling, max_tokens: maxTokens } }
    await warnDegraded(plan, live)
    const context = contextOf(plan, session, parts, seed, log)
    await orAbort(starting(), live.controller.signal)
    const selection = await consume(plan.strategy.run(task, plan.options, context), session)
    if (!live.steering.isDropped(selection.candidate)) {
      await showAnswer(live, selection.candidate, 'selected')
    }
    const otherwise = () =>
      new RefineError('all_candidates_failed', 'The strategy selected nothing.')
    return { kind: 'completed', stopReason: selection.stopReason, otherwise }
  } catch (thrown) {
    const ending = endingOf(live.controller.signal.aborted ? live.controller.signal.reason : thrown)
    if (ending.kind === 'failed' && ending.error.code === 'internal') {
      log.error({ err: ending.error.cause }, 'a run failed for a reason of ours')
    }
    return ending
  }
}

/** An answer that is not what was asked for is better than none, but nobody may take it for one. */
const warnMisshapen = async (answer: Answer | null, task: Task, live: LiveRun): Promise<void> => {
  if (answer === null) return
  const fault = faultOf(task, proposalOf(answer))
  if (fault === undefined) return
  const message = `The answer does not have the form that was asked for: ${fault}.`
  await live.append({ type: 'warning', code: 'misshapen_answer', message })
}

/** The caller's clock began with the request, not with the end of the queue. */
const limitsOf = ({ deadline }: Plan, live: LiveRun): Budget => {
  const { limits } = live.steering
  if (deadline === undefined) return limits
  const left = Math.max(0, deadline - live.age)
  return { ...limits, seconds: Math.min(left, limits.seconds ?? Infinity) }
}

/** Ends the run at its time limit, also when the limit is changed on the way. Returns what takes the timer away. */
const watchDeadline = ({ live, ledger }: Session): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const set = (): void => {
    clearTimeout(timer)
    const left = ledger.remaining('seconds')
    if (left === Infinity || live.ended) return
    timer = setTimeout(() => live.controller.abort(new Stop('deadline')), left * 1000)
  }
  set()
  live.steering.govern(ledger, set)
  return () => {
    live.steering.govern(ledger, () => undefined)
    clearTimeout(timer)
  }
}

/**
 * Runs the plan; whatever happens, the log ends with exactly one terminal event. `starting` is awaited when nothing
 * stands between the run and its strategy any more, and never rejects. Never rejects.
 */
export const drive = async (
  plan: Plan,
  live: LiveRun,
  parts: Parts,
  seed: number,
  log: Log,
  starting: () => Promise<void> = async () => undefined,
): Promise<void> => {
  const ledger = new BudgetLedger(limitsOf(plan, live), () => performance.now() / 1000)
  const session: Session = { live, ledger, account: new UsageAccount() }
  const endWatch = watchDeadline(session)
  await tellBudget(session)
  const ending = await execute(plan, session, parts, seed, log, starting)
  endWatch()
  // Ends every call that is still under way: its result is no longer needed.
  live.controller.abort(new Stop('cancelled'))
  const answer = withScore(await salvage(live), live)
  await warnMisshapen(answer, plan.task, live)
  const measures = measureRun(live.state, plan.task, session.account.total(ledger.seconds()))
  if (measures !== undefined) await live.append({ type: 'measures.reported', ...measures })
  await live.append(terminalEvent(ending, answer, session.account.total(ledger.seconds())))
}
