/** The evidence of all looks together: the least of the always-valid p-values so far, and which way it spoke. */

export type Pointed = 'better' | 'worse' | null

export interface Shown {
  readonly p: number | null
  /** Which way the data pointed at the look of p. */
  readonly pointed: Pointed
}

/** What is shown after a look. A difference that turns round later is not thereby shown the other way. */
export const leastOf = (now: Shown, before: Shown | undefined): Shown => {
  if (before === undefined || before.p === null) return now
  if (now.p !== null && now.p < before.p) return now
  // Looks kept by an earlier version do not tell.
  return { p: before.p, pointed: (before as Partial<Shown>).pointed ?? now.pointed }
}

export const pointedBy = (isBetter: boolean | null): Pointed =>
  isBetter === null ? null : isBetter ? 'better' : 'worse'
