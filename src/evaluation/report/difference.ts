/** How one arm differs from another on the runs both have. Wire data, hence snake_case. */
import { groupBy } from '../grouping.ts'
import type { RunMeasure } from '../measure.ts'
import {
  bootstrap,
  newcombePaired,
  type Interval,
  type PairedTable,
  type Share,
} from '../statistics/interval.ts'
import { mcnemarExact } from '../statistics/paired-test.ts'

export interface Difference extends Interval {
  readonly against: string
  /** Accuracy of this arm − accuracy of the other, over the runs both have. */
  readonly value: number
  readonly method: string
  /** Pairs of runs with the same item and seed; those only this arm has right, and those only the other has. */
  readonly pairs: number
  readonly better: number
  readonly worse: number
  /** Exact McNemar test, two-sided; null where items repeat, since pairs of one item are not independent. */
  readonly p: number | null
}

const pairKey = ({ item, repeat }: RunMeasure): string => JSON.stringify([item, repeat])

const NEWCOMBE = 'Newcombe square-and-add for pairs'

/**
 * By Newcombe's paired interval, or where items repeat by a bootstrap over items with the seed given: unless all items
 * differ alike, which has no spread to draw from, however few they are. Then each is one pair.
 */
const intervalOf = (
  { both, firstOnly, secondOnly, neither }: PairedTable,
  items: readonly Share[],
  seed: number,
): Interval & { readonly method: string } => {
  const pairs = both + firstOnly + secondOnly + neither
  const [first] = items
  const isAlike = items.every(({ sum, runs }) => sum * first!.runs === first!.sum * runs)
  const isRepeated = items.length < pairs
  if (isRepeated && !isAlike) {
    const method = 'bootstrap over items, 2000 resamples, expanded percentile'
    return { ...bootstrap(items, seed), method }
  }
  const each = items.length / pairs
  const table = {
    both: both * each,
    firstOnly: firstOnly * each,
    secondOnly: secondOnly * each,
    neither: neither * each,
  }
  const method = isRepeated ? `${NEWCOMBE}, each item once` : NEWCOMBE
  return { ...newcombePaired(table), method }
}

/** Accuracy of `own` − accuracy of `other`; `seed` is that of the bootstrap. Null without a complete pair. */
export const differenceOf = (
  own: readonly RunMeasure[],
  other: readonly RunMeasure[],
  seed: number,
): Difference | null => {
  const others = new Map(other.map((run) => [pairKey(run), run]))
  const pairs = own.flatMap((run) => {
    const twin = others.get(pairKey(run))
    return twin === undefined ? [] : [{ item: run.item, own: run.last, other: twin.last }]
  })
  const [first] = other
  if (first === undefined || pairs.length === 0) return null
  const count = (mine: boolean, theirs: boolean): number =>
    pairs.filter((pair) => pair.own === mine && pair.other === theirs).length
  const [better, worse] = [count(true, false), count(false, true)]
  const items = [...groupBy(pairs, ({ item }) => item).values()]
  const isRepeated = items.length < pairs.length
  const shares = items.map((group) => ({
    sum: group.reduce((sum, pair) => sum + Number(pair.own) - Number(pair.other), 0),
    runs: group.length,
  }))
  const table = {
    both: count(true, true),
    firstOnly: better,
    secondOnly: worse,
    neither: count(false, false),
  }
  return {
    against: first.arm,
    value: (better - worse) / pairs.length,
    ...intervalOf(table, shares, seed),
    pairs: pairs.length,
    better,
    worse,
    p: isRepeated ? null : mcnemarExact(better, worse),
  }
}
