/** Small arithmetic over lists of runs. */

/** The entries by key, in order of first appearance: `Map.groupBy`, which Node 20 does not have. */
export const groupBy = <Key, Entry>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => Key,
): Map<Key, Entry[]> => {
  const groups = new Map<Key, Entry[]>()
  for (const entry of entries) {
    const key = keyOf(entry)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return groups
}

/** Arithmetic mean; 0 of none. */
export const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

export const total = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0)

/** A part of a whole; null of nothing. */
export const share = (part: number, whole: number): number | null =>
  whole === 0 ? null : part / whole
