/** Which arms no other arm beats in both price and gain. */

export interface Trade {
  /** Less is better. */
  readonly price: number
  /** More is better. */
  readonly gain: number
}

/**
 * The entries that are not dominated, by rising price: no other is at most as dear and at least as good, and better in
 * one of the two. Of equal entries all stay.
 */
export const paretoFront = <Entry extends Trade>(entries: readonly Entry[]): Entry[] => {
  const sorted = entries.toSorted(
    (left, right) => left.price - right.price || right.gain - left.gain,
  )
  const front: Entry[] = []
  for (const entry of sorted) {
    const best = front.at(-1)
    const isEqual = best?.price === entry.price && best.gain === entry.gain
    if (best === undefined || entry.gain > best.gain || isEqual) front.push(entry)
  }
  return front
}
