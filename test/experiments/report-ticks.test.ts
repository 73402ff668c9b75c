import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { drawPlot } from '../../src/experiments/report/plot.ts'
import { linearTicks, logarithmicTicks } from '../../src/experiments/report/ticks.ts'
import { close } from './close.ts'

test('axes have their marks at round numbers', () => {
  close(linearTicks([-0.137, 0.274]), [-0.1, 0, 0.1, 0.2])
  close(linearTicks([0, 1]), [0, 0.2, 0.4, 0.6, 0.8, 1])
  close(linearTicks([37, 1240]), [500, 1000])
  close(linearTicks([-30, 630]), [0, 200, 400, 600])
  close(logarithmicTicks([-7.2, 0.4]), [-6, -4, -2, 0])
  close(
    logarithmicTicks([-1.1, 0.1]).map((at) => 10 ** at),
    [0.1, 0.2, 0.5, 1],
  )
})

test('whatever the bounds, there are a few marks at multiples of 1, 2 or 5, all within', () => {
  const number = fc.double({ min: -1e9, max: 1e9, noNaN: true })
  const width = fc.double({ min: 1e-6, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(number, width, (low, wide) => {
      const high = low + wide
      fc.pre(high - low > Math.abs(low) * 1e-9)
      const ticks = linearTicks([low, high])
      assert.ok(ticks.length >= 2 && ticks.length <= 7, String(ticks))
      const slack = wide * 1e-6
      assert.ok(ticks.every((at) => at >= low - slack && at <= high + slack))
      const step = ticks[1]! - ticks[0]!
      const digit = Number(step.toExponential(3).split('e')[0])
      assert.ok(
        [1, 2, 5, 10].some((each) => Math.abs(digit - each) < 0.01),
        String(step),
      )
    }),
    { seed: 5 },
  )
})

test('a plot has its labels there', () => {
  const points = Array.from({ length: 12 }, (_, index) => ({ x: 137 * index, y: 0.0137 * index }))
  const svg = drawPlot({ title: 't', x: 'x', y: 'y', lines: [{ name: 'a', points }] })
  const labels = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, label]) => label)
  assert.deepEqual(labels, ['0', '0.05', '0.1', '0.15', '0', '500', '1000', '1500', 'x'])
})
