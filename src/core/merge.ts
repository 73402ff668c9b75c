type Arrival<Item, Return> =
  | { readonly source: number; readonly result: IteratorResult<Item, Return> }
  | { readonly source: number; readonly failure: unknown }

/** Arrivals in order, and one promise to wait on: no `Promise.race`, whose reactions pile up on slow sources. */
const createQueue = <Entry>(): { push(entry: Entry): void; shift(): Promise<Entry> } => {
  const entries: Entry[] = []
  let wake = (): void => undefined
  return {
    push: (entry) => {
      entries.push(entry)
      wake()
    },
    shift: async () => {
      while (entries.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return entries.shift()!
    },
  }
}

/**
 * Runs async generators side by side and yields what they yield in order of arrival; returns their return values in
 * the order of the sources. At most one item per source is pulled ahead, so a slow reader slows the sources.
 *
 * When one source throws, or the reader stops early, all others are told to stop (`return()`) and the failure is
 * thrown on. They are not awaited: a source that waits on I/O ends by its abort signal, not by this call.
 */
export async function* merge<Item, Return>(
  sources: readonly AsyncGenerator<Item, Return, void>[],
): AsyncGenerator<Item, Return[], void> {
  const queue = createQueue<Arrival<Item, Return>>()
  const returns: Return[] = []
  const running = new Set(sources.keys())
  const pull = (source: number): void => {
    sources[source]!.next().then(
      (result) => queue.push({ source, result }),
      (failure: unknown) => queue.push({ source, failure }),
    )
  }
  try {
    for (const source of running) pull(source)
    while (running.size > 0) {
      const arrival = await queue.shift()
      if ('result' in arrival && arrival.result.done !== true) {
        yield arrival.result.value
        pull(arrival.source)
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
