import test from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { merge } from '../../src/core/merge.ts'

async function* from<Item, Return>(items: readonly Item[], end: Return) {
  for (const item of items) yield item
  return end
}

/** Yields what it is handed, when it is handed it; ends by the signal. */
const createGate = <Item>(signal?: AbortSignal) => {
  const waiting: { resolve: (item: Item) => void; reject: (reason: unknown) => void }[] = []
  const state = { cleaned: false, pulls: 0 }
  signal?.addEventListener('abort', () => {
    for (const { reject } of waiting.splice(0)) reject(signal.reason)
  })
  async function* run(): AsyncGenerator<Item, string, void> {
    try {
      for (;;) {
        state.pulls++
        yield await new Promise<Item>((resolve, reject) => waiting.push({ resolve, reject }))
      }
    } finally {
      state.cleaned = true
    }
  }
  return { run, state, give: (item: Item) => waiting.shift()!.resolve(item) }
}

const drain = async <Item, Return>(source: AsyncGenerator<Item, Return, void>) => {
  const items: Item[] = []
  for (;;) {
    const result = await source.next()
    if (result.done === true) return { items, end: result.value }
    items.push(result.value)
  }
}

test('nothing to merge ends at once with no return values', async () => {
  assert.deepEqual(await drain(merge([])), { items: [], end: [] })
})

test('items come in order of arrival, return values in order of the sources', async () => {
  const [left, right] = [createGate<string>(), createGate<string>()]
  async function* first(): AsyncGenerator<string, string, void> {
    yield* take(left.run(), 1)
    return 'left'
  }
  async function* second(): AsyncGenerator<string, string, void> {
    yield* take(right.run(), 2)
    return 'right'
  }
  const merged = merge([first(), second()])
  const read = async (gate: { give(item: string): void }, item: string) => {
    const next = merged.next()
    await turn()
    gate.give(item)
    return (await next).value
  }
  assert.equal(await read(right, 'b1'), 'b1')
  assert.equal(await read(right, 'b2'), 'b2')
  assert.equal(await read(left, 'a1'), 'a1')
  assert.deepEqual(await merged.next(), { done: true, value: ['left', 'right'] })
})

async function* take<Item>(source: AsyncGenerator<Item, unknown, void>, count: number) {
  let left = count
  for await (const item of source) {
    yield item
    if (--left === 0) return
  }
}

test('every item of every source arrives once, each source in its own order', async () => {
  const lists = fc.array(fc.array(fc.integer(), { maxLength: 12 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(lists, async (sources) => {
      const { items, end } = await drain(
        merge(
          sources.map((list, source) =>
            from(
              list.map((item) => ({ source, item })),
              source,
            ),
          ),
        ),
      )
      assert.deepEqual(
        end,
        sources.map((_, source) => source),
      )
      for (const [source, list] of sources.entries()) {
        assert.deepEqual(
          items.filter((entry) => entry.source === source).map(({ item }) => item),
          list,
        )
      }
      assert.equal(items.length, sources.flat().length)
    }),
  )
})

test('a slow reader slows the sources: at most one item is pulled ahead', async () => {
  let made = 0
  async function* count(): AsyncGenerator<number, void, void> {
    for (;;) yield ++made
  }
  const merged = merge([count()])
  await merged.next()
  for (let wait = 0; wait < 5; wait++) await turn()
  assert.equal(made, 1)
  await merged.next()
  assert.equal(made, 2)
  await merged.return([])
})

test('a reader that stops early makes every source clean up', async () => {
  let cleaned = 0
  async function* endless(): AsyncGenerator<number, void, void> {
    try {
      for (;;) yield 1
    } finally {
      cleaned++
    }
  }
  for await (const item of merge([endless(), endless(), endless()])) {
    assert.equal(item, 1)
    break
  }
  await turn()
  assert.equal(cleaned, 3)
})

test('the failure of one source is thrown on and stops the others', async () => {
  const failure = new Error('broken')
  let cleaned = false
  async function* steady(): AsyncGenerator<number, void, void> {
    try {
      for (;;) yield 1
    } finally {
      cleaned = true
    }
  }
  async function* failing(): AsyncGenerator<number, void, void> {
    yield 2
    throw failure
  }
  await assert.rejects(drain(merge<number, void>([steady(), failing()])), failure)
  await turn()
  assert.equal(cleaned, true)
})

test('a failure is thrown on without waiting for sources that wait for something', async () => {
  const stuck = createGate<number>()
  async function* failing(): AsyncGenerator<number, string, void> {
    yield* []
    throw new Error('broken')
  }
  await assert.rejects(drain(merge([stuck.run(), failing()])), /broken/)
})

test('later failures of other sources do not surface as unhandled rejections', async (t) => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listen)
  t.after(() => process.off('unhandledRejection', listen))
  async function* failing(name: string): AsyncGenerator<number, void, void> {
    yield* []
    throw new Error(name)
  }
  await assert.rejects(drain(merge([failing('first'), failing('second')])), /first/)
  await turn()
  await turn()
  assert.deepEqual(unhandled, [])
})

test('an abort ends every branch and reaches the reader as the reason', async () => {
  const controller = new AbortController()
  const gates = Array.from({ length: 8 }, () => createGate<number>(controller.signal))
  const reading = drain(merge(gates.map((gate) => gate.run())))
  await turn()
  const reason = new Error('cancelled')
  controller.abort(reason)
  await assert.rejects(reading, reason)
  await turn()
  assert.ok(gates.every(({ state }) => state.cleaned))
})
