import test from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BudgetLedger, BudgetSpent, type Amount } from '../../src/core/budget.ts'

const createClock = () => {
  const clock = { now: 1000 }
  return { clock, read: () => clock.now }
}
const amount = (calls: number, tokens = 0, cost = 0): Amount => ({ calls, tokens, cost })

test('without limits everything may be spent, and nothing is left to tell', () => {
  const ledger = new BudgetLedger({}, createClock().read)
  ledger.reserve(amount(1e6, 1e9, 1e9)).settle(amount(1, 2, 3))
  assert.equal(ledger.remaining('tokens'), Infinity)
  assert.deepEqual(ledger.status(), {
    spent: { calls: 1, tokens: 2, cost: 3, seconds: 0 },
    left: { calls: null, tokens: null, cost: null, seconds: null },
  })
})

test('a reservation holds its amount until it is settled by what was really taken', () => {
  const ledger = new BudgetLedger({ tokens: 100 }, createClock().read)
  const reservation = ledger.reserve(amount(1, 80))
  assert.equal(ledger.remaining('tokens'), 20)
  reservation.settle(amount(1, 30))
  assert.equal(ledger.remaining('tokens'), 70)
})

test('settling twice counts once', () => {
  const ledger = new BudgetLedger({ calls: 5 }, createClock().read)
  const reservation = ledger.reserve(amount(2))
  reservation.settle(amount(1))
  reservation.settle(amount(4))
  assert.equal(ledger.remaining('calls'), 4)
})

test('what does not fit is refused by its unit and reserves nothing', () => {
  const ledger = new BudgetLedger({ calls: 5, tokens: 10, cost: 1 }, createClock().read)
  const refused = (unit: string) => (thrown: unknown) =>
    thrown instanceof BudgetSpent && thrown.unit === unit
  assert.throws(() => ledger.reserve(amount(6)), refused('calls'))
  assert.throws(() => ledger.reserve(amount(1, 11)), refused('tokens'))
  assert.throws(() => ledger.reserve(amount(1, 1, 1.5)), refused('cost'))
  assert.equal(ledger.remaining('calls'), 5)
  assert.equal(ledger.remaining('tokens'), 10)
})

test('the clock alone spends the seconds, wherever it starts', () => {
  const { clock, read } = createClock()
  const ledger = new BudgetLedger({ seconds: 2 }, read)
  clock.now += 1.5
  assert.equal(ledger.remaining('seconds'), 0.5)
  ledger.reserve(amount(1)).settle(amount(1))
  clock.now += 0.5
  assert.throws(
    () => ledger.reserve(amount(1)),
    (thrown) => thrown instanceof BudgetSpent && thrown.unit === 'seconds',
  )
  clock.now += 5
  assert.equal(ledger.remaining('seconds'), 0)
  assert.equal(ledger.status().spent.seconds, 7)
})

interface Step {
  readonly want: Amount
  /** Which open reservation to settle afterwards, and how much of it was taken. */
  readonly settle: number
  readonly share: number
}

const step: fc.Arbitrary<Step> = fc.record({
  want: fc.record({ calls: fc.nat(8), tokens: fc.nat(500), cost: fc.nat(20) }),
  settle: fc.nat(10),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})

test('whatever is reserved and settled in whatever order, no limit is ever passed', () => {
  const limits = { calls: 20, tokens: 1500, cost: 60 }
  const units = ['calls', 'tokens', 'cost'] as const
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ledger = new BudgetLedger(limits, () => 0)
      const open: { want: Amount; settle(actual: Amount): void }[] = []
      const total = { calls: 0, tokens: 0, cost: 0 }
      for (const { want, settle, share } of steps) {
        const fits = units.every((unit) => want[unit] <= ledger.remaining(unit))
        try {
          const reservation = ledger.reserve(want)
          assert.ok(fits)
          open.push({ want, settle: (actual) => reservation.settle(actual) })
        } catch (thrown) {
          assert.ok(thrown instanceof BudgetSpent && !fits)
        }
        const [chosen] = open.splice(settle, 1)
        if (chosen !== undefined) {
          const part = (unit: (typeof units)[number]) => Math.floor(chosen.want[unit] * share)
          const actual = amount(part('calls'), part('tokens'), part('cost'))
          chosen.settle(actual)
          for (const unit of units) total[unit] += actual[unit]
        }
        const { spent, left } = ledger.status()
        for (const unit of units) {
          const held = open.reduce((sum, { want: { [unit]: value } }) => sum + value, 0)
          assert.equal(spent[unit], total[unit])
          assert.ok(spent[unit] + held <= limits[unit])
          assert.equal(left[unit], limits[unit] - spent[unit] - held)
        }
      }
    }),
  )
})
