/** Takes in what is said of runs: checked as a whole, kept as a whole, and acknowledged when it counts. */
import { canonicalJson } from '../core/canonical-json.ts'
import { invalidField, RefineError, type FieldError } from '../core/errors.ts'
import type { Outcome } from '../core/experiment-store.ts'
import type { FeedbackRecord, RunStore } from '../core/run-store.ts'
import { isExposureId } from '../experiments/outside-units.ts'
import { feedbackRecord, keyedFeedbackIds } from './created-records.ts'
import type { OutcomeRecorder } from './outcome-recorder.ts'
import { keyTaken } from './request-keys.ts'
import { notFound, type RunReader } from './run-reader.ts'
import type { FeedbackKey, FeedbackRow } from './run-service.ts'
import { Turns } from './turns.ts'

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

const contentOf = (record: FeedbackRecord): object => ({
  ...record,
  id: undefined,
  at: undefined,
})

type Rows = readonly FeedbackRow[]

export class FeedbackIntake {
  readonly #store: RunStore
  readonly #reader: RunReader
  readonly #outcomes: OutcomeRecorder
  /** Requests of one key go one after the other. */
  readonly #turns = new Turns()

  constructor(store: RunStore, reader: RunReader, outcomes: OutcomeRecorder) {
    this.#store = store
    this.#reader = reader
    this.#outcomes = outcomes
  }

  /**
   * With a key, the same row again gives the record there is.
   * @throws RefineError run_not_found, run_expired; invalid_request naming the field; conflict when it comes too late;
   * idempotency_mismatch
   */
  async one(row: FeedbackRow, owner: string, key?: FeedbackKey): Promise<FeedbackRecord> {
    const records = await this.#once([row], owner, key, async (ids) => {
      const checked = await this.#check([row], owner)
      if (checked[0] instanceof RefineError) throw checked[0]
      return this.#keep([row], checked, ids)
    })
    return records[0]!
  }

  /**
   * Keeps all rows or none. With a key, the same rows again give the records there are.
   * @throws RefineError invalid_request with pointers to the first 20 fields at fault; idempotency_mismatch
   */
  many(rows: Rows, owner: string, key?: FeedbackKey): Promise<FeedbackRecord[]> {
    return this.#once(rows, owner, key, async (ids) => {
      const checked = await this.#check(rows, owner)
      refuseFaults(checked)
      return this.#keep(rows, checked, ids)
    })
  }

  async #once(
    rows: Rows,
    owner: string,
    key: FeedbackKey | undefined,
    keep: (ids: readonly string[]) => Promise<FeedbackRecord[]>,
  ): Promise<FeedbackRecord[]> {
    if (key === undefined) return keep([])
    // One more than there are rows: an earlier request with more of them was another one.
    const ids = keyedFeedbackIds(owner, key, rows.length + 1)
    return this.#turns.take(ids[0]!, async () => {
      const found = await this.#store.feedbackById(ids)
      return found.length === 0 ? keep(ids) : this.#replay(rows, ids, found)
    })
  }

  /** The first attempt may have been cut off between the records and what counts, so everything said is counted again. */
  async #replay(
    rows: Rows,
    ids: readonly string[],
    found: readonly FeedbackRecord[],
  ): Promise<FeedbackRecord[]> {
    const byId = new Map(found.map((record) => [record.id, record]))
    const records = rows.flatMap((_, index) => byId.get(ids[index]!) ?? [])
    const isSame = canonicalJson(records.map(contentOf)) === canonicalJson(rows)
    if (found.length !== rows.length || !isSame) throw keyTaken('before')
    const runs = [...new Set(rows.map(({ run_id }) => run_id))]
    const said = (await Promise.all(runs.map((run) => this.#store.feedback(run)))).flat()
    await this.#count(await this.#outcomes.reported(said))
    return records
  }

  async #check(rows: Rows, owner: string): Promise<Checked[]> {
    const missing = await this.#missing(
      rows.map(({ run_id }) => run_id),
      owner,
    )
    const reported = await this.#outcomes.reported(rows)
    return Promise.all(
      rows.map(
        async (row, index) =>
          missing.get(row.run_id) ?? (await this.#unshown(row, owner)) ?? reported[index]!,
      ),
    )
  }

  /** The error for a row about a revision that its run does not have. */
  async #unshown(
    { run_id, revision }: FeedbackRow,
    owner: string,
  ): Promise<RefineError | undefined> {
    if (revision === undefined) return undefined
    const count = isExposureId(run_id)
      ? 0
      : (await this.#reader.get(run_id, owner)).revisions.length
    if (revision <= count) return undefined
    return invalidField('/revision', `must be at most ${count}: the run has no more revisions`)
  }

  /** Errors for what is not there: runs of the caller, and exposures, whose ids only those know who made them. */
  async #missing(ids: readonly string[], owner: string): Promise<ReadonlyMap<string, RefineError>> {
    const exposures = ids.filter(isExposureId)
    const runs = exposures.length === 0 ? ids : ids.filter((id) => !isExposureId(id))
    const missing = new Map(await this.#reader.missing(runs, owner))
    const known = await this.#outcomes.known(exposures)
    for (const id of exposures) if (!known.has(id)) missing.set(id, notFound(id))
    return missing
  }

  /** The records first: a crash between the two leaves a request without an answer, and outcomes may come again. */
  async #keep(
    rows: Rows,
    checked: readonly Checked[],
    ids: readonly string[],
  ): Promise<FeedbackRecord[]> {
    const records = rows.map((row, index) => feedbackRecord(row, ids[index]))
    await this.#store.addFeedback(...records)
    await this.#count(checked)
    return records
  }

  #count(checked: readonly Checked[]): Promise<void> {
    return this.#outcomes.record(
      checked.flatMap((each) => (each instanceof RefineError ? [] : each)),
    )
  }
}
