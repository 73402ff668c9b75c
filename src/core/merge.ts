type Arrival<Item, Return> =
  | { readonly source: number; readonly result: IteratorResult<Item, Return> }
  | { readonly source: number; readonly failure: unknown }

/**
 * Runs async generators side by side and yields what they yield in order of arrival; returns their return values in
 * the order of the sources. At most one item per source is pulled ahead, so a slow reader slows the sources.
 *
 * When one source throws, or the reader stops early, all others are told to stop (`return()`) and the failure is
 * thrown on. They are not awaited: a source that waits on I/O ends by its abort signal, not by this call.
 *
 * Arrivals wait in order behind one promise: the reactions of `Promise.race` would pile up on slow sources.
 */
export async function* merge<Item, Return>(
  sources: readonly AsyncGenerator<Item, Return, void>[],
): AsyncGenerator<Item, Return[], void> {
  const arrivals: Arrival<Item, Return>[] = []
  let wake = (): void => undefined
  const arrive = (arrival: Arrival<Item, Return>): void => {
    arrivals.push(arrival)
    wake()
  }
  const pulls = sources.map((each, source) => {
    const take = (result: IteratorResult<Item, Return>): void => arrive({ source, result })
    const fail = (failure: unknown): void => arrive({ source, failure })
    return (): void => void each.next().then(take, fail)
  })
  const returns: Return[] = []
  const running = new Set(sources.keys())
  try {
    for (const pull of pulls) pull()
    while (running.size > 0) {
      while (arrivals.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      const arrival = arrivals.shift()!
      if ('result' in arrival && arrival.result.done !== true) {
        yield arrival.result.value
        pulls[arrival.source]!()
        continue
      }
      running.delete(arrival.source)
      if ('failure' in arrival) throw arrival.failure
      returns[arrival.source] = arrival.result.value as Return
    }
    return returns
  } finally {
    for (const source of running) {
      sources[source]!.return(undefined as Return).catch(() => undefined)
    }
  }
}
