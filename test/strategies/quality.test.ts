/** What the methods are for, on a simulated model of known quality: the numbers are exact, not sampled anew. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { answerOf } from '../../src/core/answer.ts'
import { createRandom } from '../../src/core/random.ts'
import { NOT_STEERED } from '../../src/core/steering.ts'
import { ROLES, type Role, type Task } from '../../src/core/task.ts'
import { createScriptedModel, scriptedTruth } from '../../src/models/scripted.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { createScorers } from '../../src/scoring/scorers.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { checkLog } from '../support/run-strategy.ts'
import type { StrategyEvent } from '../../src/core/event.ts'

const QUESTIONS = 60
const silent = (): void => undefined
const byRole = <Value>(value: Value): Record<Role, Value> =>
  Object.fromEntries(ROLES.map((role) => [role, value])) as Record<Role, Value>

/** Share of right answers over the questions, each with its own seed. */
const accuracy = async (
  name: string,
  quality: { readonly judgeReliability?: number; readonly accuracy?: number } = {},
  options: Record<string, unknown> = {},
): Promise<number> => {
  const strategy = STRATEGIES.find((entry) => entry.name === name)!
  const model = createScriptedModel({ id: 'scripted', ...quality })
  const models = byRole(model)
  const prompts = byRole(promptsFor(model.prompts))
  let right = 0
  for (let question = 0; question < QUESTIONS; question++) {
    const input = `Question number ${question}: how many?`
    const task: Task = { messages: [{ role: 'user', content: input }], sampling: {} }
    const events: StrategyEvent[] = []
    const run = strategy.run(task, options, {
      tell: (delta) => void events.push(delta),
      models,
      prompts,
      scorers: createScorers(models, prompts),
      model: () => ({ model, prompts: prompts.generator }),
      budget: { remaining: () => Infinity },
      steering: NOT_STEERED,
      random: createRandom(question),
      signal: new AbortController().signal,
      log: { debug: silent, info: silent, warn: silent, error: silent },
    })
    let step = await run.next()
    for (; step.done !== true; step = await run.next()) events.push(step.value)
    checkLog(events, step.value)
    const last = events.findLast((event) => event.type === 'answer.revised')!
    if (answerOf(last.text) === answerOf(String(scriptedTruth(input)))) right++
  }
  return right / QUESTIONS
}

test('with a reliable judge every method beats a single draft', async (t) => {
  const single = await accuracy('single')
  t.diagnostic(`single ${single.toFixed(2)}`)
  for (const name of ['best-of-n', 'self-consistency', 'self-refine', 'solver-reviewer-refiner']) {
    const share = await accuracy(name)
    t.diagnostic(`${name} ${share.toFixed(2)}`)
    assert.ok(share > single + 0.1, `${name}: ${share} against ${single}`)
  }
})

test('a judge that guesses makes best-of-n no better than a single draft', async () => {
  const [single, guessed, judged] = [
    await accuracy('single'),
    await accuracy('best-of-n', { judgeReliability: 0.5 }),
    await accuracy('best-of-n', { judgeReliability: 1 }),
  ]
  assert.ok(Math.abs(guessed - single) < 0.2, `${guessed} against ${single}`)
  assert.ok(judged > guessed + 0.2, `${judged} against ${guessed}`)
})
