/** Brings the rows that a group of facts can touch into memory, and what became of them back. */
import type { ExperimentFact, Exposure, Outcome, Phase } from '../core/experiment-store.ts'
import type { Sums } from '../core/sums.ts'
import {
  adding,
  findRows,
  forEach,
  insertRows,
  replacing,
  type Database,
  type Statement,
} from './database.ts'
import {
  Rows,
  type ExposureRow,
  type Ledger,
  type LedgerRows,
  type RunRow,
  type ValueRow,
} from './experiment-ledger.ts'

const SUM_COLUMNS = [
  'units',
  'base',
  'total',
  'base_base',
  'total_total',
  'base_total',
  'covariate',
  'covariate_covariate',
  'covariate_total',
  'covariate_base',
] as const

const columnsOf = (sums: Sums): number[] => [
  sums.units,
  sums.base,
  sums.total,
  sums.baseBase,
  sums.totalTotal,
  sums.baseTotal,
  sums.covariate,
  sums.covariateCovariate,
  sums.covariateTotal,
  sums.covariateBase,
]

type Key = readonly (string | number)[]

const distinct = (keys: Iterable<Key>): Key[] => [
  ...new Map([...keys].map((key) => [JSON.stringify(key), key])).values(),
]

/** All names whose totals of a unit an outcome may need. */
const namesOf = ({ name, series }: Outcome): string[] => [
  name,
  ...series.flatMap(({ numerator, denominator, covariate, minus }) =>
    [numerator, denominator, covariate, minus].filter((each) => each !== null),
  ),
]

const loadRuns = async (
  database: Database,
  facts: readonly ExperimentFact[],
): Promise<LedgerRows['runs']> => {
  const ids = distinct(facts.flatMap((fact) => (fact.type === 'settled' ? [] : [[fact.runId]])))
  const rows = new Rows<RunRow>()
  const wanted = { fields: 'e.*', from: 'experiment_runs e' }
  const found = await findRows<RunRow & { readonly run_id: string }>(
    database,
    wanted,
    ['e.run_id'],
    ids,
  )
  for (const row of found) rows.load([row.run_id], row)
  return rows
}

interface UnitKey {
  readonly phase: number
  readonly unit: string
}

const loadExposures = async (
  database: Database,
  units: readonly UnitKey[],
): Promise<LedgerRows['exposures']> => {
  const rows: LedgerRows['exposures'] = new Rows()
  const found = await findRows<ExposureRow & UnitKey>(
    database,
    { fields: 'e.phase, e.unit, e.arm, e.reason, e.propensity', from: 'experiment_exposures e' },
    ['e.phase', 'e.unit'],
    distinct(units.map(({ phase, unit }) => [phase, unit])),
  )
  for (const row of found) rows.load([row.phase, row.unit], row)
  return rows
}

type Observed = UnitKey & { readonly outcome: Outcome }

const loadValues = async (
  database: Database,
  observed: readonly Observed[],
): Promise<Pick<LedgerRows, 'values' | 'units'>> => {
  const [values, units]: [LedgerRows['values'], LedgerRows['units']] = [new Rows(), new Rows()]
  const foundValues = await findRows<
    UnitKey & ValueRow & { name: string; run_id: string; reporter: string }
  >(
    database,
    { fields: 'e.*', from: 'experiment_values e' },
    ['e.phase', 'e.unit', 'e.name', 'e.run_id', 'e.reporter'],
    distinct(
      observed.map(({ phase, unit, outcome: { name, runId, reporter } }) => [
        phase,
        unit,
        name,
        runId,
        reporter,
      ]),
    ),
  )
  for (const row of foundValues) {
    values.load([row.phase, row.unit, row.name, row.run_id, row.reporter], row)
  }
  const foundUnits = await findRows<UnitKey & { name: string; total: number; runs: number }>(
    database,
    { fields: 'e.*', from: 'experiment_units e' },
    ['e.phase', 'e.unit', 'e.name'],
    distinct(
      observed.flatMap(({ phase, unit, outcome }) =>
        namesOf(outcome).map((name) => [phase, unit, name]),
      ),
    ),
  )
  for (const row of foundUnits) units.load([row.phase, row.unit, row.name], row)
  return { values, units }
}

/** What the facts may read: their runs, the units of these, and what is known of them. */
export const loadRows = async (
  database: Database,
  facts: readonly ExperimentFact[],
  phaseOf: (phase: Phase) => number,
): Promise<LedgerRows> => {
  const runs = await loadRuns(database, facts)
  const exposed = new Map<string, UnitKey>()
  for (const fact of facts) {
    if (fact.type === 'exposure') exposed.set(fact.runId, { phase: phaseOf(fact), unit: fact.unit })
  }
  const observed = facts.flatMap((fact): Observed[] => {
    if (fact.type !== 'outcome') return []
    const key = runs.get(fact.runId) ?? exposed.get(fact.runId)
    return key === undefined ? [] : [{ phase: key.phase, unit: key.unit, outcome: fact }]
  })
  const exposures = await loadExposures(database, [...exposed.values(), ...observed])
  return { runs, exposures, ...(await loadValues(database, observed)) }
}

const insertExposures = ({ rows, settled }: Ledger): Statement[] => [
  ...insertRows(
    'experiment_exposures',
    ['phase', 'unit', 'arm', 'reason', 'bucket', 'propensity', 'run_id', 'at'],
    rows.exposures.changes().map(([key, row]) => {
      const { arm, reason, bucket, propensity, runId, at } = row as Exposure
      return [...key, arm, reason, bucket, propensity, runId, at]
    }),
  ),
  ...insertRows(
    'experiment_runs',
    ['run_id', 'phase', 'unit', 'arm', 'reason', 'at', 'settled'],
    rows.runs
      .changes()
      .map(([key, { phase, unit, arm, reason, at }]) => [
        ...key,
        phase,
        unit,
        arm,
        reason,
        at,
        Number(settled.has(String(key[0]))),
      ]),
  ),
]

const insertValues = ({ rows }: Ledger): Statement[] => [
  ...insertRows(
    'experiment_values',
    ['phase', 'unit', 'name', 'run_id', 'reporter', 'value', 'bucket'],
    rows.values.changes().map(([key, { value, bucket }]) => [...key, value, bucket]),
    replacing('phase, unit, name, run_id, reporter', ['value', 'bucket']),
  ),
  ...insertRows(
    'experiment_units',
    ['phase', 'unit', 'name', 'total', 'runs'],
    rows.units.changes().map(([key, { total, runs }]) => [...key, total, runs]),
    replacing('phase, unit, name', ['total', 'runs']),
  ),
]

const addSums = ({ exposed, sums, buckets }: Ledger): Statement[] => [
  ...insertRows(
    'experiment_arms',
    ['phase', 'arm', 'exposures'],
    exposed.changes().map(([key, count]) => [...key, count]),
    adding('experiment_arms', 'phase, arm', ['exposures']),
  ),
  ...insertRows(
    'experiment_sums',
    ['phase', 'arm', 'metric', 'runs', ...SUM_COLUMNS],
    sums.changes().map(([key, change]) => [...key, change.runs, ...columnsOf(change.sums)]),
    adding('experiment_sums', 'phase, arm, metric', ['runs', ...SUM_COLUMNS]),
  ),
  ...insertRows(
    'experiment_buckets',
    ['phase', 'arm', 'metric', 'bucket', 'runs'],
    buckets.changes().map(([key, runs]) => [...key, runs]),
    adding('experiment_buckets', 'phase, arm, metric, bucket', ['runs']),
  ),
]

/** Those that this group exposes are inserted as settled. */
const settleRuns = ({ rows, settled }: Ledger): Statement[] => {
  const fresh = new Set(rows.runs.changes().map(([key]) => String(key[0])))
  const before = [...settled].filter((runId) => !fresh.has(runId))
  return forEach('UPDATE experiment_runs SET settled = 1 WHERE run_id', before)
}

/** The statements that keep what the ledger changed. */
export const writeChanges = (ledger: Ledger): Statement[] => [
  ...insertExposures(ledger),
  ...insertValues(ledger),
  ...addSums(ledger),
  ...settleRuns(ledger),
]
