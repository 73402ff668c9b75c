/**
 * Verification and refinement: the pipeline of Huang and Yang 2025 (arXiv:2507.15855; read in lyang36/IMO25). A draft,
 * one turn of improvement, then a strict verifier who does not solve: its report tells critical errors from
 * justification gaps. A version is accepted after `passes` clean reports in a row; a report that finds something goes to
 * the refiner; after `failures` such reports in a row, or `rounds` reports in all, it gives up.
 *
 * Deviations: 3, 5 and 8 instead of 5, 10 and 30; the report ends with its own verdict instead of a second call that
 * reads it; the verifier is sampled at 0.7 with a seed for each report, since the passes of one verifier are correlated;
 * a version replaces the answer only when its reports were better (critical error, gap, number of passes). Drafts keep the
 * task's temperature instead of 0.1, the refiner is not invited to dispute a report, and there is one run instead of several.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement } from './compose.ts'
import { draftCost, refineCost, reviewCost } from './parts/cost.ts'
import { strictReport } from './parts/critique.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import * as options from './parts/options.ts'
import { revise } from './parts/revise.ts'

const count = (byDefault: number, description: string) =>
  options.integer({ default: byDefault, minimum: 1, maximum: 16, description })

const OPTIONS = Type.Object(
  {
    passes: count(3, 'Clean reports in a row after which an answer is accepted.'),
    failures: count(5, 'Reports of a fault in a row after which it gives up.'),
    rounds: options.integer({
      default: 8,
      minimum: 0,
      maximum: 32,
      description: 'Largest number of reports.',
    }),
    improve: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'Whether the draft is improved once before it is verified.',
      }),
    ),
    tolerate_gaps: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether a report of justification gaps alone counts as clean.',
      }),
    ),
  },
  { additionalProperties: false },
)

interface Settings {
  readonly passes: number
  readonly failures: number
  readonly tolerate_gaps: boolean
}

const SCORER = 'verification'
const CRITICAL = -1

/** The version that is being verified, and how its reports went. */
class Verifying {
  readonly #settings: Settings
  #current: number | undefined
  #passes = 0
  #failures = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** A draft, and its improvement where it is asked for; an unverified draft is worth less than any verified version. */
  async *draft(refinement: Refinement, improve: boolean): Events<undefined> {
    const { pool } = refinement
    yield* sample(refinement, draftCall(refinement, 1))
    pool.requireCompleted()
    this.#current = pool.incumbent!
    if (!improve) return undefined
    const improved = yield* revise(refinement, {
      parent: this.#current,
      critique: undefined,
      round: 0,
    })
    if (improved === undefined) return undefined
    yield this.#scored(this.#current, null)
    this.#current = improved
    return undefined
  }

  async *round(refinement: Refinement, round: number): Events<StopReason | undefined> {
    const { pool } = refinement
    const current = this.#current!
    const report = yield* strictReport(refinement, current)
    if (report === undefined) return 'no_improvement'
    const isClean =
      report.verdict === 'pass' || (report.verdict === 'gap' && this.#settings.tolerate_gaps)
    this.#passes = isClean ? this.#passes + 1 : 0
    this.#failures = isClean ? 0 : this.#failures + 1
    yield this.#scored(current, isClean ? this.#passes : report.verdict === 'gap' ? 0 : CRITICAL)
    yield* pool.promoteBest(SCORER)
    if (this.#passes >= this.#settings.passes) return 'threshold'
    if (this.#failures >= this.#settings.failures) return 'no_improvement'
    // A report without a readable verdict has found nothing that could be mended.
    if (isClean || report.verdict === undefined) return undefined
    const revision = yield* revise(refinement, { parent: current, critique: report.text, round })
    if (revision !== undefined) this.#current = revision
    return undefined
  }

  #scored(candidate: number, score: number | null) {
    const range = [CRITICAL, this.#settings.passes]
    return { type: 'candidate.scored', candidate, scorer: SCORER, score, range } as const
  }
}

export const verifyRefine = defineStrategy({
  name: 'verify-refine',
  description:
    'A strict verifier reports errors and gaps, a refiner mends them; accepted after several clean reports in a row.',
  source: 'Huang and Yang 2025, arXiv:2507.15855',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: () => ({ prompts: [{ role: 'reviewer', form: 'verifyReport' }] }),
  worstCase: (size, given) => {
    const { rounds, improve } = options.settle(OPTIONS, given)
    return [
      draftCost(size, 1),
      reviewCost(size, rounds),
      refineCost(size, rounds + (improve ? 1 : 0)),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { rounds, improve, ...settings } = options.settle(OPTIONS, given)
      formOf(context, 'reviewer', 'verifyReport')
      const verifying = new Verifying(settings)
      return {
        rounds,
        sampler: (refinement) => verifying.draft(refinement, improve),
        updater: (refinement, round) => verifying.round(refinement, round),
      }
    }),
})
