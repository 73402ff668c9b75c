import assert from 'node:assert/strict'
import test from 'node:test'
import { createRandom } from '../../src/core/random.ts'
import { normalQuantile, twoSidedNormal } from '../../src/experiments/distributions/normal.ts'
import {
  crossingChances,
  groupSequentialBounds,
  planLooks,
  spentBy,
  type Spending,
} from '../../src/experiments/group-sequential.ts'
import { close, digits } from './close.ts'

const ALPHA = 0.05
const FIFTHS = [0.2, 0.4, 0.6, 0.8, 1]
const spend = (spending: Spending['spending'], exponent = 2): Spending => ({ spending, exponent })
const boundsOf = (spending: Spending, information = FIFTHS): number[] =>
  groupSequentialBounds(
    information,
    information.map((t) => spentBy(spending, t, ALPHA)),
  )

test('five looks have the bounds of the published tables', () => {
  close(boundsOf(spend('obrien_fleming')), [4.8769, 3.357, 2.6803, 2.2898, 2.031], digits(4))
  close(
    boundsOf(spend('power', 2)),
    [3.090_232, 2.714_112, 2.472_777, 2.279_863, 2.114_027],
    digits(6),
  )
})

test('one look has the bound of the plain test, and the first of several that of what it spends', () => {
  close(boundsOf(spend('pocock'), [1]), [normalQuantile(0.975)], 1e-12)
  const first = boundsOf(spend('pocock'))[0]!
  close(twoSidedNormal(first), ALPHA * Math.log(1 + (Math.E - 1) / 5), 1e-14)
})

test('every spending rises to α and ends there', () => {
  for (const spending of [spend('obrien_fleming'), spend('pocock'), spend('power', 3)]) {
    const spent = [0.001, 0.1, 0.5, 0.9, 1, 1.2].map((t) => spentBy(spending, t, ALPHA))
    for (const [at, value] of spent.slice(1).entries()) assert.ok(value >= spent[at]!)
    close(spent.slice(-2), [ALPHA, ALPHA], 0)
    close(spentBy(spending, 1 - 1e-12, ALPHA), ALPHA, 1e-12)
  }
})

test('without an effect the bounds are crossed with exactly what was spent, however the looks are spaced', () => {
  for (const information of [FIFTHS, [0.1, 0.11, 0.5, 0.93, 1], [3, 40, 41, 900]]) {
    const last = information.at(-1)!
    const spent = information.map((now) => spentBy(spend('pocock'), now / last, ALPHA))
    const bounds = groupSequentialBounds(information, spent)
    const chances = crossingChances(information, bounds, 0)
    let sum = 0
    for (const [look, { above, below }] of chances.entries()) {
      close(above, below, 1e-12)
      close((sum += above + below), spent[look]!, 1e-11)
    }
  }
})

test('a look at which nothing is spent has no bound, and changes nothing for the others', () => {
  const [first, second] = groupSequentialBounds([0.5, 1], [0, ALPHA])
  assert.equal(first, Infinity)
  close(second!, normalQuantile(0.975), 1e-10)
})

/** C_B(5, 0.05) = 2.040 with R_B = 1.028, C_P(5, 0.05) = 2.413 with R_P = 1.229 (Jennison & Turnbull, tables 2.1 to 2.4). */
test('the constant bounds of the textbook keep α, and need the textbook’s units for a power of 0.8', () => {
  const once = normalQuantile(0.975) + normalQuantile(0.8)
  for (const [bounds, inflation] of [
    [FIFTHS.map((t) => 2.04 / Math.sqrt(t)), 1.028],
    [FIFTHS.map(() => 2.413), 1.229],
  ] as const) {
    const level = crossingChances(FIFTHS, bounds, 0)
    close(
      level.reduce((sum, { above, below }) => sum + above + below, 0),
      ALPHA,
      2e-4,
    )
    const reached = crossingChances(FIFTHS, bounds, once * Math.sqrt(inflation))
    close(
      reached.reduce((sum, { above }) => sum + above, 0),
      0.8,
      5e-4,
    )
  }
})

test('planned looks keep the level and reach the power in simulated experiments, and stop early', (t) => {
  const repetitions = 20_000
  for (const spending of [spend('obrien_fleming'), spend('pocock')]) {
    const { bounds, inflation, expected } = planLooks(5, spending, { alpha: ALPHA, power: 0.8 })
    const once = normalQuantile(0.975) + normalQuantile(0.8)
    const random = createRandom(29)
    const simulate = (drift: number) => {
      let [found, used] = [0, 0]
      for (let repetition = 0; repetition < repetitions; repetition++) {
        let score = 0
        const look = FIFTHS.findIndex((now, index) => {
          score += drift * 0.2 + Math.sqrt(0.2) * normalQuantile(random.next() || 0.5)
          return Math.abs(score) / Math.sqrt(now) >= bounds[index]!
        })
        if (look >= 0) found += 1
        used += FIFTHS[look] ?? 1
      }
      return { found: found / repetitions, used: used / repetitions }
    }
    const [level, power] = [simulate(0), simulate(once * Math.sqrt(inflation))]
    t.diagnostic(
      `${spending.spending}: false positives ${level.found}, power ${power.found} with ${inflation.toFixed(4)} × the units of ` +
        `one look, of which ${power.used.toFixed(3)} are used (planned ${expected.toFixed(3)})`,
    )
    assert.ok(Math.abs(level.found - ALPHA) < 0.005)
    assert.ok(Math.abs(power.found - 0.8) < 0.01)
    assert.ok(Math.abs(power.used - expected) < 0.01)
  }
})
