import assert from 'node:assert/strict'
import test from 'node:test'
import { Penalties } from '../../src/inference/penalties.ts'
import { Adjuster, type AdjustedRow } from '../../src/inference/runtime/adjuster.ts'
import { samplingParameters } from './model-fixture.ts'

const adjuster = new Adjuster(6, 1)
const LOGITS = Float32Array.of(2, -1, 0.5, 1, -3, 0, /* row 1 */ 0, 1, 2, 3, 4, 5)

const row = (changes: Partial<AdjustedRow>): AdjustedRow => ({
  row: 0,
  temperature: 1,
  uniform: 0.5,
  changes: undefined,
  allowed: undefined,
  ...changes,
})

const adjusted = async (rows: readonly AdjustedRow[]): Promise<number[][]> => {
  const { logits } = await adjuster.run(LOGITS, rows, 1, ['logits'])
  return rows.map((_, index) => [...logits!.subarray(6 * index, 6 * index + 6)])
}

test('penalties change the logits of the tokens they name, each row its own', async () => {
  const [first, second, third] = await adjusted([
    row({ changes: { tokens: [0, 1], subtracted: [0.5, 0], repetition: 2 } }),
    row({ row: 1 }),
    row({ row: 1, changes: { tokens: [5], subtracted: [4], repetition: 1 } }),
  ])
  assert.deepEqual(first, [0.5, -2, 0.5, 1, -3, 0])
  assert.deepEqual(second, [0, 1, 2, 3, 4, 5])
  assert.deepEqual(third, [0, 1, 2, 3, 4, 1])
})

test('repetition counts prompt and answer, presence and frequency the answer alone', () => {
  const sampling = { repetitionPenalty: 1.5, presencePenalty: 1, frequencyPenalty: 0.25 }
  const penalties = new Penalties(samplingParameters(sampling), Int32Array.of(3, 4, 3))
  for (const token of [4, 5, 5]) penalties.take(token)
  assert.deepEqual(penalties.changes, {
    tokens: [3, 4, 5],
    subtracted: [0, 1.25, 1.5],
    repetition: 1.5,
  })
  const presence = samplingParameters({ presencePenalty: 1 })
  assert.deepEqual(new Penalties(presence, Int32Array.of(3)).changes.tokens, [])
})

test('a token that is not allowed is never drawn, whatever the number and the logits', async () => {
  const allowed = Uint8Array.of(0, 0, 1, 0, 1, 0)
  for (const uniform of [0, 0.25, 0.5, 0.9, 1 - 2 ** -24])
    for (const temperature of [0.001, 1, 5]) {
      const rows = [row({ uniform, temperature, allowed }), row({ uniform, row: 1 })]
      const { drawn, top_tokens } = await adjuster.run(LOGITS, rows, 2, ['drawn', 'top_tokens'])
      assert.ok([2, 4].includes(drawn![0]!), `${uniform} ${temperature}: ${drawn![0]}`)
      assert.deepEqual([...top_tokens!], [2, 4, 5, 4])
    }
})
