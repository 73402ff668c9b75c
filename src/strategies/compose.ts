/**
 * The loop that the published methods share: sampler × scorer × updater × selector × stopper, behind an optional gate
 * (`algorithms.md` 11). Each part is a stage: a generator of events that returns a stop reason to end the run, or
 * nothing to go on. A scorer and a stopper live inside the stage whose work they judge (`react`), because they must be
 * able to end that work while it is going on.
 */
import { setMaxListeners } from 'node:events'
import type { DeltaEvent, StopReason, StrategyEvent } from '../core/event.ts'
import type { Selection, StrategyContext } from '../core/strategy.ts'
import type { Task } from '../core/task.ts'
import { EMPTY } from '../core/validity.ts'
import { Pool } from './parts/pool.ts'

export type Events<Return = void> = AsyncGenerator<StrategyEvent, Return, void>

/** One run of a strategy. `context.signal` ends with the run, or when `cancel` is called. */
export interface Refinement {
  readonly task: Task
  readonly context: StrategyContext
  readonly pool: Pool
  /** Ends all model work of this run that is still going on. */
  readonly cancel: () => void
}

export type Stage = (refinement: Refinement, round: number) => Events<StopReason | undefined>

export interface Composition {
  /** Makes the first candidates. */
  readonly sampler: Stage
  /** Decides before each round whether there is anything to refine. */
  readonly gate?: Stage
  /** Makes better candidates out of what there is, once a round. */
  readonly updater?: Stage
  /** Largest number of rounds; default 0. */
  readonly rounds?: number
  /** Has the last word on the incumbent. */
  readonly selector?: Stage
}

async function* loop(composition: Composition, refinement: Refinement): Events<StopReason> {
  const { sampler, gate, updater, rounds = 0, selector } = composition
  let stop = yield* sampler(refinement, 0)
  refinement.pool.requireCompleted()
  for (let round = 1; round <= rounds && stop === undefined; round++) {
    if (gate !== undefined) stop = yield* gate(refinement, round)
    if (stop === undefined && updater !== undefined) stop = yield* updater(refinement, round)
  }
  if (selector !== undefined) stop = (yield* selector(refinement, rounds)) ?? stop
  return stop ?? 'finished'
}

/** Why a candidate that was just completed becomes the answer at once; undefined when it does not. */
const arrival = (pool: Pool, candidate: number): string | undefined => {
  if (pool.incumbent === undefined) return 'first'
  const gainsForm = pool.fault(pool.incumbent) !== undefined && pool.fault(candidate) === undefined
  if (!gainsForm) return undefined
  return pool.fault(pool.incumbent) === EMPTY ? 'is not empty' : 'has the form asked for'
}

/** Tells a delta without a way through the generators, unless the work it comes from was given up. */
export const tell = (
  { context, pool }: Refinement,
  delta: DeltaEvent,
): Promise<void> | undefined => {
  if (context.signal.aborted) return undefined
  pool.observe(delta)
  return context.tell(delta)
}

/**
 * Runs a composition: keeps the pool in step with the delivered events, makes the first completed candidate the
 * incumbent, puts candidates with the form that the task asks for before all others, selects the incumbent in the end, and ends all model work however the run ends.
 * @throws RefineError all_candidates_failed when the sampler completed nothing; whatever `build` throws.
 */
export async function* compose(
  task: Task,
  context: StrategyContext,
  build: () => Composition,
): Events<Selection> {
  const work = new AbortController()
  const { signal } = work
  // One listener for each call under way is what is wanted here, not a leak.
  setMaxListeners(0, signal)
  // By hand: `AbortSignal.any` costs as much as ten events.
  const end = (): void => work.abort(context.signal.reason)
  if (context.signal.aborted) end()
  context.signal.addEventListener('abort', end, { once: true })
  const pool = new Pool(task, (candidate) => context.steering.isDropped(candidate))
  const cancel = (): void => work.abort(new DOMException('No longer needed.', 'AbortError'))
  const events = loop(build(), { task, context: { ...context, signal }, pool, cancel })
  try {
    for (;;) {
      const { done, value } = await events.next()
      if (done === true) return { candidate: pool.incumbent!, stopReason: value }
      if (value.type === 'answer.revised' && !pool.mayLead(value.candidate)) continue
      pool.observe(value)
      yield value
      const reason =
        value.type === 'candidate.completed' ? arrival(pool, value.candidate) : undefined
      if (value.type !== 'candidate.completed' || reason === undefined) continue
      const first = pool.promote(value.candidate, reason, null)
      pool.observe(first)
      yield first
    }
  } finally {
    context.signal.removeEventListener('abort', end)
    cancel()
    await events.return('finished')
  }
}

/**
 * Delivers events and lets `decide` look at each (deltas that were told do not come by here): it may add events, and end
 * all work by a stop reason. Candidates that are cut off are dropped by name.
 */
export async function* react(
  { pool, cancel }: Refinement,
  events: AsyncGenerator<StrategyEvent, unknown, void>,
  decide: (event: StrategyEvent) => Generator<StrategyEvent, StopReason | undefined, void>,
): Events<StopReason | undefined> {
  for await (const event of events) {
    yield event
    const stop = yield* decide(event)
    if (stop === undefined) continue
    cancel()
    yield* pool.drop(`the run stopped: ${stop}`)
    return stop
  }
  return undefined
}
