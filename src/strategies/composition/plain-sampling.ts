/** Plain samples: all together, in batches, or each under a watch that may end it. */
import { merge } from '../../core/merge.ts'
import type { Events, Refinement } from '../compose.ts'
import { draftCall, draftSampling } from '../parts/draft.ts'
import { sampleAndScore } from '../parts/sample-and-score.ts'
import { rated, sampleOne, type Rate } from '../parts/sample-one.ts'
import { ConfidenceBar, probing, type Watch } from '../parts/watch.ts'
import type { ChosenParts } from './chosen.ts'
import type { Sampler } from './samplers.ts'
import type { StopRule } from './stoppers.ts'

/** Some of all samples, in batches, as far as the budget reaches. */
interface Extent {
  readonly n: number
  readonly batch: number
  /** How many there are in the end: several must differ, also where the first is drawn alone. */
  readonly all: number
}

async function* plain(
  refinement: Refinement,
  { n, batch, all }: Extent,
  callsEach: number,
  rate: Rate,
  peakedness = false,
): Events {
  const sampling = draftSampling(refinement.task, all)
  for (let left = n; left > 0;) {
    const call = draftCall(refinement, left, callsEach)
    const samples = Math.min(batch, call.samples)
    yield* sampleAndScore(refinement, { ...call, samples, sampling, peakedness }, rate)
    const isAll = samples === call.samples && call.samples < left
    left = isAll ? 0 : left - samples
  }
}

type OfOne = 'low-confidence' | 'probe-agreement'

const ruleOf = <Kind extends OfOne>({ stopper }: ChosenParts, kind: Kind) =>
  stopper.rules
    .map(({ rule }) => rule)
    .find((rule): rule is Extract<StopRule, { kind: Kind }> => rule.kind === kind)

/** Where both watch, a candidate that is given up is not asked. */
const both = (
  look: ReturnType<ConfidenceBar['watch']> | undefined,
  ask: Watch | undefined,
): Watch =>
  async function* (delta) {
    return look?.(delta) ?? (ask === undefined ? undefined : yield* ask(delta))
  }

/** Samples each in a call of its own, so that one can be ended while the others go on. */
async function* watched(
  refinement: Refinement,
  chosen: ChosenParts,
  n: number,
  bar: ConfidenceBar | undefined,
  rate: Rate,
): Events {
  const { context, task } = refinement
  const { random } = context
  const rule = ruleOf(chosen, 'probe-agreement')
  const most = rule === undefined ? 0 : Math.floor((task.sampling.max_tokens ?? 0) / rule.chunk)
  const messages = context.prompts.generator.solve(task)
  const drafts = Array.from({ length: n }, () => {
    const ask = rule && probing(refinement, messages, { ...rule, most }, random.seed())
    const sampling = draftSampling(task, chosen.sampler.n)
    const call = { ...draftCall(refinement, n), sampling, seed: random.seed() }
    const { samples: _, ...one } = call
    const watch = both(bar?.watch(), ask)
    return rated(
      sampleOne(refinement, { ...one, watch, ...(bar !== undefined && { peakedness: true }) }),
      rate,
    )
  })
  yield* merge(drafts)
}

/** The first candidates set the bar, where there is one; the others are watched. */
export async function* plainly(
  refinement: Refinement,
  chosen: ChosenParts,
  sampler: Extract<Sampler, { kind: 'plain' }>,
  callsEach: number,
  rate: Rate,
): Events {
  const confidence = ruleOf(chosen, 'low-confidence')
  const isProbed = ruleOf(chosen, 'probe-agreement') !== undefined
  if (confidence === undefined && !isProbed) {
    return yield* plain(refinement, { ...sampler, all: sampler.n }, callsEach, rate)
  }
  const { pool } = refinement
  const warmup = confidence === undefined ? 0 : Math.min(sampler.n, confidence.warmup)
  const first = { n: warmup, batch: warmup, all: sampler.n }
  yield* plain(refinement, first, callsEach, rate, true)
  if (sampler.n === warmup || pool.size < warmup) return
  const bar = confidence && new ConfidenceBar(confidence.keep, confidence.window)
  bar?.learn(pool.completed.map((each) => pool.draft(each).confidences ?? []))
  const left = draftCall(refinement, sampler.n - warmup, callsEach).samples
  yield* watched(refinement, chosen, left, bar, rate)
}
