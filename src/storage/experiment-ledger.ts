/**
 * Adds up facts. Sums are kept per unit and per arm, so that a value that comes late, or comes again with a correction,
 * takes the unit's earlier contribution out and puts the new one in. Works on rows in memory: what it reads is loaded
 * before, and what it changes is written afterwards, in one transaction.
 */
import type { ExperimentFact, Exposure, Outcome, Series } from '../core/experiment-store.ts'
import { mergeSums, NO_SUMS, subtractSums, sumsOf, type Sums } from '../core/sums.ts'

/** Stands for values of zero or less, which have no logarithmic bucket. */
export const ZERO_BUCKET = -1_000_000_000

/** Of an exposure, what the ledger goes by. */
export interface ExposureRow {
  readonly arm: string
  readonly reason: string
  readonly propensity: number
}

export interface RunRow {
  readonly phase: number
  readonly unit: string
  readonly arm: string
  readonly reason: string
  readonly at: string | null
}

export interface ValueRow {
  readonly value: number
  readonly bucket: number | null
}

export interface UnitRow {
  readonly total: number
  readonly runs: number
}

/** What one group of facts adds to one arm and metric. */
export interface Change {
  sums: Sums
  runs: number
}

type Key = readonly (string | number)[]

/** Rows by key, and which of them are new. */
export class Rows<Row> {
  readonly #rows = new Map<string, Row>()
  readonly #changed = new Map<string, Key>()

  get(...key: Key): Row | undefined {
    return this.#rows.get(JSON.stringify(key))
  }

  load(key: Key, row: Row): void {
    this.#rows.set(JSON.stringify(key), row)
  }

  set(key: Key, row: Row): void {
    const name = JSON.stringify(key)
    this.#rows.set(name, row)
    this.#changed.set(name, key)
  }

  /** Keys with rows that were set, each followed by its row. */
  changes(): (readonly [key: Key, row: Row])[] {
    return [...this.#changed].map(([name, key]) => [key, this.#rows.get(name)!])
  }
}

/** Everything that facts can touch. */
export interface LedgerRows {
  /** By phase and unit. */
  readonly exposures: Rows<ExposureRow & Partial<Exposure>>
  /** By run. */
  readonly runs: Rows<RunRow>
  /** By phase, unit, name, run and reporter. */
  readonly values: Rows<ValueRow>
  /** By phase, unit and name. */
  readonly units: Rows<UnitRow>
}

const NO_VALUES: UnitRow = { total: 0, runs: 0 }

type Part = 'numerator' | 'denominator' | 'covariate' | 'minus'

const meanOf = ({ total, runs }: UnitRow): number => (runs === 0 ? 0 : total / runs)

/** What the unit contributes to a metric; nothing until it has a value of every part, but for the covariate. */
const contribution = (
  { denominator, minus }: Series,
  parts: Readonly<Record<Part, UnitRow>>,
  weight: number,
): Sums => {
  const { total, runs } = parts.numerator
  if (runs === 0) return NO_SUMS
  if (denominator !== null && parts.denominator.runs === 0) return NO_SUMS
  if (minus !== null && parts.minus.runs === 0) return NO_SUMS
  return sumsOf({
    total: total - runs * meanOf(parts.minus),
    base: denominator === null ? runs : parts.denominator.total,
    covariate: meanOf(parts.covariate),
    weight,
  })
}

type PhaseOf = (phase: { readonly experiment: string; readonly salt: string }) => number

export class Ledger {
  readonly rows: LedgerRows
  /** By phase and arm: units exposed. */
  readonly exposed = new Rows<number>()
  /** By phase, arm and metric. */
  readonly sums = new Rows<Change>()
  /** By phase, arm, metric and bucket: runs. */
  readonly buckets = new Rows<number>()
  readonly settled = new Set<string>()
  readonly #phaseOf: PhaseOf

  constructor(rows: LedgerRows, phaseOf: PhaseOf) {
    this.rows = rows
    this.#phaseOf = phaseOf
  }

  apply(fact: ExperimentFact): void {
    if (fact.type === 'exposure') this.#expose(fact)
    else if (fact.type === 'outcome') this.#observe(fact)
    else this.settled.add(fact.runId)
  }

  #expose(exposure: Exposure): void {
    const { unit, arm, reason, runId, at } = exposure
    const phase = this.#phaseOf(exposure)
    const { exposures, runs } = this.rows
    if (runs.get(runId) === undefined) runs.set([runId], { phase, unit, arm, reason, at })
    if (exposures.get(phase, unit) !== undefined) return
    exposures.set([phase, unit], exposure)
    if (reason !== 'assigned') return
    this.exposed.set([phase, arm], (this.exposed.get(phase, arm) ?? 0) + 1)
  }

  /** The run with the propensity of its arm. A unit that met an arm otherwise first, by force for instance, is in no comparison. */
  #countedRun(runId: string): (RunRow & { readonly propensity: number }) | undefined {
    const run = this.rows.runs.get(runId)
    if (run?.reason !== 'assigned') return undefined
    const exposure = this.rows.exposures.get(run.phase, run.unit)
    if (exposure?.reason !== 'assigned' || exposure.arm !== run.arm) return undefined
    return { ...run, propensity: exposure.propensity }
  }

  #observe(outcome: Outcome): void {
    const run = this.#countedRun(outcome.runId)
    if (run === undefined) return
    const own = outcome.series.map((series) => {
      const weight = series.isWeighted ? 1 / run.propensity : 1
      return { series, weight, before: this.#contribution(run, series, weight) }
    })
    const isNew = this.#replace(run, outcome)
    for (const { series, weight, before } of own) {
      const after = this.#contribution(run, series, weight)
      const key = [run.phase, run.arm, series.metric]
      const { sums, runs } = this.sums.get(...key) ?? { sums: NO_SUMS, runs: 0 }
      this.sums.set(key, {
        sums: mergeSums(sums, subtractSums(after, before)),
        runs: runs + (isNew && series.numerator === outcome.name ? 1 : 0),
      })
    }
  }

  /** Whether the run had no value of this name by this reporter before. */
  #replace({ phase, unit, arm }: RunRow, outcome: Outcome): boolean {
    const { runId, name, reporter, value, bucket } = outcome
    const { values, units } = this.rows
    const key = [phase, unit, name, runId, reporter]
    const before = values.get(...key)
    const number = bucket === 'zero' ? ZERO_BUCKET : bucket
    values.set(key, { value, bucket: number })
    const own = units.get(phase, unit, name) ?? NO_VALUES
    units.set([phase, unit, name], {
      total: own.total + value - (before?.value ?? 0),
      runs: own.runs + (before === undefined ? 1 : 0),
    })
    if (before !== undefined && before.bucket !== null) {
      this.#addBucket([phase, arm, name, before.bucket], -1)
    }
    if (number !== null) this.#addBucket([phase, arm, name, number], 1)
    return before === undefined
  }

  #addBucket(key: Key, runs: number): void {
    this.buckets.set(key, (this.buckets.get(...key) ?? 0) + runs)
  }

  #contribution({ phase, unit }: RunRow, series: Series, weight: number): Sums {
    const read = (name: string | null): UnitRow =>
      name === null ? NO_VALUES : (this.rows.units.get(phase, unit, name) ?? NO_VALUES)
    const parts = {
      numerator: read(series.numerator),
      denominator: read(series.denominator),
      covariate: read(series.covariate),
      minus: read(series.minus),
    }
    return contribution(series, parts, weight)
  }
}
