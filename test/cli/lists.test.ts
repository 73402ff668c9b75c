import assert from 'node:assert/strict'
import test from 'node:test'
import { strategyDetails } from '../../src/cli/lists.ts'
import type { StrategyDescription } from '../../src/runs/run-service.ts'
import { composed } from '../../src/strategies/composed.ts'

test('the parts of compose are listed with their kinds, options and defaults', () => {
  const strategy = composed as unknown as StrategyDescription
  const lines = strategyDetails(strategy, Infinity).split('\n')
  const at = lines.findIndex((line) => line.startsWith('stopper '))
  assert.match(lines[at]!, /\{"kind":"none"\} +What ends the work/)
  const rules = lines.slice(at + 1)
  assert.ok(rules.some((line) => /^ {2}beta +confidence 0\.95$/.test(line)))
  assert.ok(rules.some((line) => /^ {2}all +of$/.test(line)))
  assert.ok(
    lines.some((line) => /^ {2}guidelines +n 4, guidelines …$/.test(line)),
    'a long default',
  )
})
