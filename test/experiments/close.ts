import assert from 'node:assert/strict'

/** Half a unit of the last printed digit, where an oracle is printed with fewer digits than 1e-8 asks for. */
export const digits = (places: number): number => 0.5000001 * 10 ** -places

/** Asserts that a number, or each of a list, is within the tolerance of the oracle. */
export const close = (
  actual: number | readonly number[],
  expected: number | readonly number[],
  tolerance = 1e-8,
): void => {
  const got = typeof actual === 'number' ? [actual] : actual
  const want = typeof expected === 'number' ? [expected] : expected
  assert.equal(got.length, want.length)
  for (const [index, value] of want.entries()) {
    const error = Math.abs(got[index]! - value)
    assert.ok(error <= tolerance, `${got[index]} is not ${value} (off by ${error}, item ${index})`)
  }
}
