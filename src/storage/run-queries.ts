/** Reads of many runs at once. */
import { canonicalJson } from '../core/canonical-json.ts'
import type { RunState } from '../core/run-state.ts'
import type { MeanUsage, RunKind, RunPage, RunRecord, RunScan } from '../core/run-store.ts'
import type { Database } from './database.ts'

export interface RunRow {
  readonly state: string
  readonly owner: string
  readonly request: string
}

export const toRecord = ({ state, owner, request }: RunRow): RunRecord => ({
  state: JSON.parse(state) as RunState,
  owner,
  request: JSON.parse(request) as unknown,
})

/** The text of options in runs of earlier versions, which put only the outermost names in order. */
const earlierText = (options: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.entries(options).toSorted(([left], [right]) => (left < right ? -1 : 1)))

type Condition = readonly [sql: string, value: string | undefined]

/** What holds of the rows; conditions without a value are left out. */
const where = (conditions: readonly Condition[]) => {
  const given = conditions.filter(
    (condition): condition is [string, string] => condition[1] !== undefined,
  )
  return {
    sql: given.map(([sql]) => sql).join(' AND '),
    values: given.map(([, value]) => value),
  }
}

export class RunQueries {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async list(page: RunPage): Promise<{ runs: RunState[]; hasMore: boolean }> {
    const { owner, limit, order, after, before, status } = page
    const [from, to] = order === 'asc' ? [after, before] : [before, after]
    const { sql, values } = where([
      ['owner = ?', owner],
      ['id > ?', from],
      ['id < ?', to],
      ['status = ?', status],
    ])
    const rows = await this.#database.all<{ state: string }>(
      `SELECT state FROM runs WHERE ${sql} ORDER BY id ${order} LIMIT ?`,
      ...values,
      limit + 1,
    )
    const runs = rows.slice(0, limit).map(({ state }) => JSON.parse(state) as RunState)
    return { runs, hasMore: rows.length > limit }
  }

  async scan({ owner, after, limit, from, to, strategy, model }: RunScan): Promise<RunRecord[]> {
    const { sql, values } = where([
      ['owner = ?', owner],
      ['id > ?', after],
      ['created_at >= ?', from],
      ['created_at < ?', to],
      ['strategy = ?', strategy],
      ['model = ?', model],
    ])
    const rows = await this.#database.all<RunRow>(
      `SELECT state, owner, request FROM runs WHERE finished = 1 AND ${sql} ORDER BY id LIMIT ?`,
      ...values,
      limit,
    )
    return rows.map(toRecord)
  }

  async meanUsage({ strategy, model, options }: RunKind): Promise<MeanUsage | undefined> {
    const mean = (name: string): string => `avg(CAST(${name} AS DOUBLE PRECISION)) AS ${name}`
    const means = ['calls', 'input_tokens', 'output_tokens', 'cost'].map(mean).join(', ')
    const [usage] = await this.#database.all<MeanUsage>(
      `SELECT count(*) AS runs, ${means} FROM runs
       WHERE strategy = ? AND model = ? AND options IN (?, ?) AND status = 'completed'`,
      strategy,
      model,
      canonicalJson(options),
      earlierText(options),
    )
    return usage === undefined || usage.runs === 0 ? undefined : usage
  }
}
