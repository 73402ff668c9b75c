import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { GroupWriter } from '../../src/core/group-writer.ts'

/** A writer of letters that keeps what it wrote; `refuse` says why a group cannot be. */
const open = (refuse: (group: string) => Error | undefined = () => undefined, most = 100) => {
  const [asked, kept]: [string[], string[]] = [[], []]
  const writer = new GroupWriter<string>({
    most,
    write: async (items) => {
      const group = items.join('')
      asked.push(group)
      const cause = refuse(group)
      if (cause !== undefined) throw cause
      kept.push(...items)
    },
  })
  const add = async (text: string): Promise<string> => {
    const ended = await Promise.allSettled([writer.add(text.split(''))])
    return ended[0].status
  }
  return { writer, add, asked, kept }
}

test('what comes at the same time is written together, in groups of a bounded size', async () => {
  const { add, asked } = open(undefined, 3)
  await Promise.all(['ab', 'c', 'de', 'fghi', ''].map(add))
  assert.deepEqual(asked, ['abc', 'de', 'fghi'])
})

test('what is refused takes nothing with it that came at the same time, and the order stays', async () => {
  const { add, kept } = open((group) => (group.includes('x') ? new Error('no') : undefined))
  const ends = await Promise.all(['a', 'bx', 'c', 'd', 'x', 'e', 'f'].map(add))
  assert.deepEqual(
    ends.flatMap((end, index) => (end === 'rejected' ? [index] : [])),
    [1, 4],
  )
  assert.equal(kept.join(''), 'acdef')
})

test('a store that cannot take a group just then is not asked for each of its parts', async () => {
  const away = new RefineError('storage_unavailable', 'away')
  const { add, asked } = open(() => away)
  assert.deepEqual(await Promise.all(['a', 'b'].map(add)), ['rejected', 'rejected'])
  assert.deepEqual(asked, ['ab'])
})

test('an entry without items waits for what was handed in before it', async () => {
  const { writer, add, kept } = open((group) => (group.includes('x') ? new Error('no') : undefined))
  void add('a')
  void add('x')
  void add('b')
  await writer.add([])
  assert.equal(kept.join(''), 'ab')
  assert.equal(writer.waiting, 0)
})
