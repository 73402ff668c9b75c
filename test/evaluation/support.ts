/** A small evaluation in process: the scripted model, whose truth is known, and a service around it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { localRuns } from '../../src/cli/run-client.ts'
import { createScriptedModel, scriptedTruth } from '../../src/models/scripted.ts'
import type { LanguageModel } from '../../src/core/language-model.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { RunSource } from '../../src/evaluation/evaluate.ts'
import { Runner } from '../../src/runs/runner.ts'
import { createScorers } from '../../src/scoring/scorers.ts'
import { IN_MEMORY, openSqliteStore } from '../../src/storage/sqlite.ts'
import { STRATEGIES } from '../../src/strategies/index.ts'
import { silent } from '../runs/support.ts'
import { SANDBOX } from '../support/run-strategy.ts'

export const temporaryFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'whetstone-evaluation-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** JSON lines of questions to the scripted model, labels and what else a data set may hold. */
export const scriptedLines = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const text = `What is the value of riddle ${index}?`
    const answer = scriptedTruth(text)
    return JSON.stringify({
      id: `riddle-${index}`,
      text,
      answer,
      difficulty: 1 + (index % 2),
      steps: [`the secret is ${answer}`],
    })
  })

/** A service with all strategies and one model; drained and closed when the test ends. */
export const runnerFor = (t: TestContext, model: LanguageModel, maxTokens: number): Runner => {
  const store = openSqliteStore(IN_MEMORY)
  const runner = new Runner({
    parts: {
      strategies: STRATEGIES,
      models: {
        get: (id) => {
          if (id === model.id) return model
          throw new RefineError('unknown_model', `There is no model "${id}".`)
        },
        describe: () => [],
        ready: async () => undefined,
      },
      prompts: promptsFor,
      scorers: (models, prompts) => createScorers(models, prompts, SANDBOX),
      sandbox: SANDBOX,
      defaults: { model: model.id, strategy: 'single', maxTokens, budget: {} },
    },
    store,
    log: silent,
    limits: { running: 16, waiting: 64 },
  })
  t.after(async () => {
    await runner.drain(1)
    await store.close()
  })
  return runner
}

export const scriptedSource = (t: TestContext): RunSource =>
  localRuns(runnerFor(t, createScriptedModel({ id: 'scripted' }), 128))
