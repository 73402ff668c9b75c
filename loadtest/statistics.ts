/** What a load test reports of many durations. */

/** Milliseconds; null where nothing was measured. */
export interface Summary {
  readonly count: number
  readonly p50: number | null
  readonly p90: number | null
  readonly p99: number | null
  readonly max: number | null
}

/** Nearest-rank percentile of sorted values: the smallest value that at least `share` of them do not exceed. */
export const percentile = (sorted: readonly number[], share: number): number | null =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null

export const summarise = (values: readonly number[]): Summary => {
  const sorted = values.toSorted((left, right) => left - right)
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? null,
  }
}
