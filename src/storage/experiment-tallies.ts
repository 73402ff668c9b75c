/** Rows of experiments as the port gives them. */
import type { ExperimentVersion, MetricTally } from '../core/experiment-store.ts'
import type { Sums } from '../core/sums.ts'
import { ZERO_BUCKET } from './experiment-ledger.ts'

export interface VersionRow {
  readonly key: string
  readonly version: number
  readonly at: string
  readonly origin: 'api' | 'file'
  readonly definition: string
}

export const toVersion = (row: VersionRow): ExperimentVersion => ({
  ...row,
  definition: JSON.parse(row.definition) as unknown,
})

export interface SumRow {
  readonly arm: string
  readonly metric: string
  readonly runs: number
  readonly units: number
  readonly base: number
  readonly total: number
  readonly base_base: number
  readonly total_total: number
  readonly base_total: number
  readonly covariate: number
  readonly covariate_covariate: number
  readonly covariate_total: number
  readonly covariate_base: number
}

export const toSums = (row: SumRow): Sums => ({
  units: row.units,
  base: row.base,
  total: row.total,
  baseBase: row.base_base,
  totalTotal: row.total_total,
  baseTotal: row.base_total,
  covariate: row.covariate,
  covariateCovariate: row.covariate_covariate,
  covariateTotal: row.covariate_total,
  covariateBase: row.covariate_base,
})

export interface BucketRow {
  readonly arm: string
  readonly metric: string
  readonly bucket: number
  readonly runs: number
}

export const sketchOf = (rows: readonly BucketRow[]): MetricTally['sketch'] => ({
  zeros: rows.find(({ bucket }) => bucket === ZERO_BUCKET)?.runs ?? 0,
  buckets: Object.fromEntries(
    rows
      .filter(({ bucket, runs }) => bucket !== ZERO_BUCKET && runs > 0)
      .map(({ bucket, runs }) => [bucket, runs]),
  ),
})
