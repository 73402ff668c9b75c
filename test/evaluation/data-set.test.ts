import test from 'node:test'
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { readArms, requestOf, seedOf } from '../../src/evaluation/arm.ts'
import { findDataSet, readDataSet } from '../../src/evaluation/data-set.ts'
import { temporaryFolder } from './support.ts'

const write = async (t: Parameters<typeof temporaryFolder>[0], lines: readonly unknown[]) => {
  const file = path.join(await temporaryFolder(t), 'set.jsonl')
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
  await writeFile(file, text.join('\n'))
  return file
}

test('labels are brought to the form in which answers are compared', async (t) => {
  const answers = [
    1200,
    '1,200',
    '$1200',
    'So 5.\n#### 1200',
    'it is \\boxed{1200}',
    '3/4',
    'Paris',
  ]
  const file = await write(
    t,
    answers.map((answer, index) => ({ id: String(index), text: 'q', answer })),
  )
  const labels = (await readDataSet(file)).map(({ label }) => label)
  assert.deepEqual(labels, ['1200', '1200', '1200', '1200', '1200', '0.75', 'paris'])
})

test('a conversation is asked as it stands', async (t) => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'What is 1 + 1?' },
  ]
  const line = { id: 'a', messages, answer: 2, difficulty: 3, hint: 'two' }
  const [item] = await readDataSet(await write(t, [line]))
  assert.equal(item!.difficulty, '3')
  const [arm] = readArms([{ name: 'x', strategy: 'best-of-n', options: { n: 2 }, model: 'm' }])
  assert.deepEqual(requestOf(arm!, item!, 5), {
    messages,
    strategy: 'best-of-n',
    options: { n: 2 },
    model: 'm',
    seed: 5,
  })
})

test('a wrong line is refused with its number and what was expected', async (t) => {
  const good = { id: 'a', text: 'q', answer: 1 }
  const message = { role: 'assistant', content: 'no' }
  const faults: readonly [unknown, RegExp][] = [
    ['{', /line 2, is not JSON/],
    [{ text: 'q', answer: 1 }, /line 2, does not fit: \/id is required/],
    [{ id: 'b', text: 'q' }, /\/answer is required/],
    [{ id: 'b', answer: 1 }, /either text or messages/],
    [{ id: 'b', answer: 1, text: 'q', messages: [message] }, /either text or messages/],
    [{ id: 'b', answer: 1, messages: [message] }, /end with a message of the user/],
    [good, /repeats the id "a"/],
  ]
  for (const [line, expected] of faults) {
    const file = await write(t, [good, line])
    await assert.rejects(readDataSet(file), { code: 'invalid_request', message: expected })
    assert.equal((await readDataSet(file, 1)).length, 1) // what is not read is not judged
  }
  await assert.rejects(readDataSet(await write(t, ['', ''])), /holds no item/)
})

test('a data set as other programs save it is read: a byte order mark, line ends of Windows, U+2028', async (t) => {
  const line = (id: string) => JSON.stringify({ id, text: 'a\u2028b', answer: 1 })
  const file = await write(t, [`\ufeff${line('1')}\r`, '\r', line('2')])
  const items = await readDataSet(file)
  assert.deepEqual(
    items.map(({ id, question }) => [id, question]),
    ['1', '2'].map((id) => [id, { input: 'a\u2028b' }]),
  )
})

test('a data set of a model is found by its name in the catalogue', async (t) => {
  const root = await temporaryFolder(t)
  await mkdir(path.join(root, 'models'))
  const entry = { id: 'tiny', folder: 'models/tiny', evaluation: { easy: 'evaluation/easy.jsonl' } }
  await writeFile(path.join(root, 'models', 'catalog.json'), JSON.stringify({ models: [entry] }))
  const expected = path.join(root, 'models/tiny/evaluation/easy.jsonl')
  assert.equal(await findDataSet('tiny:easy', root), expected)
  await assert.rejects(findDataSet('tiny:hard', root), {
    code: 'not_found',
    message: /"tiny:hard".*tiny:easy/,
  })
  const file = path.join(root, 'models', 'catalog.json')
  assert.equal(await findDataSet(file, root), file)
  await assert.rejects(findDataSet('x', path.join(root, 'nowhere')), /not a file/)
})

test('seeds differ by item and repeat, and fit a request', () => {
  const seeds = [seedOf(1, 'a', 0), seedOf(1, 'a', 1), seedOf(1, 'b', 0), seedOf(2, 'a', 0)]
  assert.equal(new Set(seeds).size, 4)
  assert.equal(seedOf(1, 'a', 0), seeds[0])
  for (const seed of seeds) assert.ok(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)
})
