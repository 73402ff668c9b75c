/** Reads runs from the store and turns them into records, one run at a time: memory holds a page of runs, no more. */
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type { FeedbackRecord, RunRecord, RunScan, RunStore } from '../core/run-store.ts'
import { HIDDEN_OWNER } from '../runs/hidden-run.ts'
import type { RunRequest } from '../runs/run-request.ts'
import { taskOf } from '../runs/task-request.ts'
import {
  cursorText,
  readQuery,
  type Condition,
  type ExportFormat,
  type ExportQuery,
  type ReadQuery,
} from './export-query.ts'
import type { Comparison, Critique, ExportRecord } from './export-schema.ts'
import { commonFields, consentOf, metricsOf, type ExportedRun } from './exported-run.ts'
import { recordsOf } from './records.ts'
import type { StepSplitter } from './step-labels.ts'

export interface RunExportsOptions {
  readonly store: Pick<RunStore, 'scan' | 'events' | 'feedback'>
  /** How scorers cut texts into steps, the usual way first. */
  readonly splitters: readonly [StepSplitter, ...StepSplitter[]]
}

/** Runs read at a time: a long one has megabytes. */
const PAGE = 16
const EVENTS = 500

/** Formats that need what only events tell. */
const READS_EVENTS: ReadonlySet<ExportFormat> = new Set(['preferences', 'steps', 'trees'])

const comparisonOf = (event: RunEvent): Comparison[] => {
  if (event.type !== 'comparison.completed') return []
  const { candidates, winner, orders } = event
  return [{ candidates, winner, orders }]
}

const critiqueOf = (event: RunEvent): Critique[] => {
  if (event.type !== 'critique.completed') return []
  const { candidate, text, step, verdict } = event
  return [{ candidate, text, ...(step && { step }), ...(verdict && { verdict }) }]
}

const isAssigned = ({ experiment, arm }: ExportQuery, { assignment }: RunState): boolean =>
  (experiment === undefined || assignment?.experiment === experiment) &&
  (arm === undefined || assignment?.arm === arm)

const isWanted = (
  { consented_only: consentedOnly }: ExportQuery,
  conditions: readonly Condition[],
  { state }: RunRecord,
  feedback: readonly FeedbackRecord[],
): boolean => {
  if (consentedOnly === true && consentOf({ state, feedback }) !== true) return false
  if (conditions.length === 0) return true
  const metrics = metricsOf({ state, feedback })
  return conditions.every(({ metric, holds }) => {
    const value = metrics[metric]
    return value !== undefined && holds(value)
  })
}

export class RunExports {
  readonly #store: RunExportsOptions['store']
  readonly #splitters: RunExportsOptions['splitters']

  constructor({ store, splitters }: RunExportsOptions) {
    this.#store = store
    this.#splitters = splitters
  }

  /**
   * Checks the query at once; the records then come oldest run first, of the owner's runs or of everybody's if
   * undefined, each read when it is pulled; those that nobody was shown are left out. Runs that end meanwhile may or may
   * not be among them.
   * @throws RefineError invalid_request naming the field
   */
  open(query: ExportQuery, owner: string | undefined): AsyncGenerator<ExportRecord, void, void> {
    return this.#records(readQuery(query), owner)
  }

  async *#records(
    { query, conditions, cursor }: ReadQuery,
    owner: string | undefined,
  ): AsyncGenerator<ExportRecord, void, void> {
    const { format, without_prompts: withoutPrompts = false, minimum_margin: minimumMargin } = query
    const options = { minimumMargin, splitters: this.#splitters }
    for await (const record of this.#runs(query, owner, cursor?.run)) {
      const { state } = record
      if (!isAssigned(query, state)) continue
      const feedback = await this.#store.feedback(state.id)
      if (!isWanted(query, conditions, record, feedback)) continue
      const run = await this.#exported(record, feedback, format)
      const common = commonFields(run, withoutPrompts)
      const bodies = recordsOf(run, format, options)
      const begin = state.id === cursor?.run ? cursor.record + 1 : 0
      for (const [offset, body] of bodies.slice(begin).entries()) {
        const at = cursorText({ run: state.id, record: begin + offset })
        yield { ...body, cursor: at, ...common } as ExportRecord
      }
    }
  }

  async *#runs(
    { from, to, strategy, model }: ExportQuery,
    owner: string | undefined,
    first: string | undefined,
  ): AsyncGenerator<RunRecord, void, void> {
    const scan: Omit<RunScan, 'after'> = {
      limit: PAGE,
      ...(owner !== undefined && { owner }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      ...(strategy !== undefined && { strategy }),
      ...(model !== undefined && { model }),
    }
    // The run of the cursor is read again: not all of its records may have arrived.
    let after = first === undefined ? '' : first.slice(0, -1)
    for (;;) {
      const page = await this.#store.scan({ ...scan, after })
      for (const record of page) {
        if (record.owner === HIDDEN_OWNER) continue
        if (first === undefined || record.state.id >= first) yield record
      }
      if (page.length < PAGE) return
      after = page.at(-1)!.state.id
    }
  }

  async #exported(
    { state, request }: RunRecord,
    feedback: readonly FeedbackRecord[],
    format: ExportFormat,
  ): Promise<ExportedRun> {
    const comparisons: Comparison[] = []
    const critiques: Critique[] = []
    let after = 0
    for (let isMore = READS_EVENTS.has(format); isMore;) {
      const events = await this.#store.events(state.id, after, EVENTS)
      comparisons.push(...events.flatMap(comparisonOf))
      critiques.push(...events.flatMap(critiqueOf))
      after = events.at(-1)?.sequence ?? after
      isMore = events.length === EVENTS
    }
    const prompt = taskOf(request as RunRequest).messages
    return { state, prompt, feedback, comparisons, critiques }
  }
}
