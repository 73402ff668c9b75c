/** What tests of the page share. */
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import type { StrategyDescription } from '../../src/runs/run-service.ts'
import { openPage } from '../support/browser.ts'
import { FakeRuns, type Script } from '../support/fake-runs.ts'

const OPTIONS = {
  type: 'object',
  properties: {
    n: { type: 'integer', default: 8, minimum: 1, maximum: 256, description: 'Samples.' },
    scorer: { enum: ['judge', 'likelihood'], default: 'judge' },
    threshold: { type: 'number', maximum: 9 },
    shuffle: { type: 'boolean', default: false },
    widths: { type: 'array', items: { type: 'integer' }, default: [4] },
  },
}

const strategy: StrategyDescription = {
  name: 'best-of-n',
  description: 'Several drafts side by side.',
  feedback: 'reward',
  requires: [],
  source: 'a paper',
  options: OPTIONS,
}

/** Runs of one strategy, whose options have a field of each kind. */
export const createRuns = (script?: Script): FakeRuns => {
  const runs = new FakeRuns(script)
  runs.strategies = () => [strategy]
  return runs
}

export const ask = async (page: Page, question: string): Promise<void> => {
  await page.getByLabel('Question').fill(question)
  await page.getByRole('button', { name: 'Answer', exact: true }).click()
}

/** Opens the page and asks at once. */
export const askAt = async (t: TestContext, url: string, question: string) => {
  const opened = await openPage(t)
  await opened.page.goto(url)
  await ask(opened.page, question)
  return opened
}

export const status = (page: Page, text: string) =>
  page.locator('#status', { hasText: text }).waitFor({ state: 'visible' })
