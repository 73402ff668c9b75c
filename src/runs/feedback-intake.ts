/** Takes in what is said of runs: checked as a whole, kept as a whole, and acknowledged when it counts. */
import { RefineError, type FieldError } from '../core/errors.ts'
import type { Outcome } from '../core/experiment-store.ts'
import type { FeedbackRecord, RunStore } from '../core/run-store.ts'
import { feedbackRecord } from './created-records.ts'
import type { OutcomeRecorder } from './outcome-recorder.ts'
import type { RunReader } from './run-reader.ts'
import type { FeedbackRow } from './run-service.ts'

const MOST_FIELDS = 20

/** What a row comes to: what experiments count of it, or why it cannot be taken. */
type Checked = readonly Outcome[] | RefineError

const fieldsOf = (error: RefineError, index: number): FieldError[] =>
  error.fields.length === 0
    ? [{ pointer: `/data/${index}/run_id`, message: error.message }]
    : error.fields.map(({ pointer, message }) => ({ pointer: `/data/${index}${pointer}`, message }))

/** @throws RefineError invalid_request when any row is at fault */
const refuseFaults = (checked: readonly Checked[]): void => {
  const faults = checked.flatMap((each, index) =>
    each instanceof RefineError ? [fieldsOf(each, index)] : [],
  )
  const fields = faults.flat().slice(0, MOST_FIELDS)
  const [first] = fields
  if (first === undefined) return
  const message = `${faults.length} of ${checked.length} rows cannot be taken, so none was. ${first.pointer}: ${first.message}`
  throw new RefineError('invalid_request', message, { fields })
}

export class FeedbackIntake {
  readonly #store: RunStore
  readonly #reader: RunReader
  readonly #outcomes: OutcomeRecorder

  constructor(store: RunStore, reader: RunReader, outcomes: OutcomeRecorder) {
    this.#store = store
    this.#reader = reader
    this.#outcomes = outcomes
  }

  /** @throws RefineError run_not_found, run_expired; invalid_request naming the field */
  async one(row: FeedbackRow, owner: string): Promise<FeedbackRecord> {
    const checked = await this.#check([row], owner)
    if (checked[0] instanceof RefineError) throw checked[0]
    return (await this.#keep([row], checked))[0]!
  }

  /** Keeps all rows or none. @throws RefineError invalid_request with pointers to the first 20 fields at fault */
  async many(rows: readonly FeedbackRow[], owner: string): Promise<FeedbackRecord[]> {
    const checked = await this.#check(rows, owner)
    refuseFaults(checked)
    return this.#keep(rows, checked)
  }

  async #check(rows: readonly FeedbackRow[], owner: string): Promise<Checked[]> {
    const ids = rows.map(({ run_id }) => run_id)
    const missing = await this.#reader.missing(ids, owner)
    const reported = await this.#outcomes.reported(rows)
    return rows.map(({ run_id }, index) => missing.get(run_id) ?? reported[index]!)
  }

  /** The records first: a crash between the two leaves a request without an answer, and outcomes may come again. */
  async #keep(
    rows: readonly FeedbackRow[],
    checked: readonly Checked[],
  ): Promise<FeedbackRecord[]> {
    const records = rows.map(feedbackRecord)
    await this.#store.addFeedback(...records)
    await this.#outcomes.record(
      checked.flatMap((each) => (each instanceof RefineError ? [] : each)),
    )
    return records
  }
}
