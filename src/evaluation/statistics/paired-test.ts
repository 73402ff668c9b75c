/** Whether two arms differ on the items they share. */

/**
 * Two-sided exact test of McNemar (1947): the discordant pairs are coin tosses if the arms do not differ. The
 * probability of a split at least as uneven.
 */
export const mcnemarExact = (firstOnly: number, secondOnly: number): number => {
  const tosses = firstOnly + secondOnly
  const fewer = Math.min(firstOnly, secondOnly)
  let logarithm = -tosses * Math.LN2
  let tail = Math.exp(logarithm)
  for (let heads = 1; heads <= fewer; heads++) {
    logarithm += Math.log((tosses - heads + 1) / heads)
    tail += Math.exp(logarithm)
  }
  return Math.min(1, 2 * tail)
}
