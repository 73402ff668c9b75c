import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { RefineError } from '../../src/core/errors.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { openPage } from '../support/browser.ts'
import { endless, heldAt, refinement, type Script } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'
import { ask, askAt, createRuns, status } from './fixtures.ts'

test('a run is shown while it happens, with scores, critiques, votes, decisions and changes', async (t) => {
  const { script, goOn } = heldAt(8)
  const { url, runs } = await listen(t, createRuns(script))
  const { page, faults } = await askAt(t, url, 'What is 6 × 7?')
  const first = page.getByRole('article', { name: 'Candidate 0' })
  await first.getByText('Off by one.').waitFor()
  await status(page, 'Running')
  assert.match(
    (await first.textContent())!,
    /best so far.*It is 41\..*judge0\.40.*Found wrong, step 1/,
  )
  goOn()
  await status(page, 'Done: threshold')
  const answer = page.getByRole('region', { name: 'Answer' })
  assert.equal(await answer.locator('del').textContent(), '41')
  assert.equal(await answer.locator('ins').textContent(), '42')
  await answer.getByRole('button', { name: 'Revision 1' }).click()
  assert.equal(await answer.locator('.text').textContent(), 'It is 41.')
  assert.match((await page.getByRole('region', { name: 'Vote' }).textContent())!, /42.*2 from #1/)
  const decisions = await page.getByRole('region', { name: 'Decisions' }).textContent()
  for (const words of ['Gate difficulty go on', '#0 against #1 #1 wins', 'No likelihoods.'])
    assert.ok(decisions!.includes(words), words)
  assert.deepEqual(runs.requests[0]?.input, 'What is 6 × 7?')
  assert.deepEqual(faults, [])
})

test('options come from the strategy’s schema, and only what was changed is sent', async (t) => {
  const { url, runs } = await listen(t, createRuns())
  const { page } = await openPage(t)
  await page.goto(url)
  assert.equal(await page.getByLabel('n', { exact: true }).inputValue(), '8')
  await page.getByLabel('n', { exact: true }).fill('3')
  await page.getByLabel('scorer').selectOption('likelihood')
  await page.getByText('Budget and sampling').click()
  await page.getByLabel('Calls').fill('12')
  await page.getByLabel('Seed').fill('7')
  await ask(page, 'What?')
  await status(page, 'Done')
  const { options, budget, seed, strategy: name } = runs.requests[0]!
  assert.deepEqual(
    { options, budget, seed, name },
    { options: { n: 3, scorer: 'likelihood' }, budget: { calls: 12 }, seed: 7, name: 'best-of-n' },
  )
})

test('after a reload the run goes on where it is, and can be stopped and rated', async (t) => {
  const { url, runs } = await listen(t, createRuns(endless(refinement.slice(0, 8))))
  const { page } = await askAt(t, url, 'What is 6 × 7?')
  await page.getByText('Off by one.').waitFor()
  assert.equal(new URL(page.url()).hash, '#run=run_1')
  await page.reload()
  await page.getByText('Off by one.').waitFor()
  assert.equal(await page.getByLabel('Question').inputValue(), 'What is 6 × 7?')
  assert.deepEqual(runs.cancelled, [], 'a reload cancels nothing')
  await page.getByRole('button', { name: 'Stop with the best so far' }).click()
  await status(page, 'Stopped: cancelled')
  assert.deepEqual(runs.cancelled, ['run_1'])
  await page.getByRole('button', { name: 'Wrong' }).click()
  await page.getByText('Noted.').waitFor()
  assert.equal(runs.notes[0]?.value, false)
})

test('what a model writes is text, never markup', async (t) => {
  const evil = '<img src=x onerror="document.title=\'broken\'"><b>bold</b>'
  const bodies = refinement.map((body) => ('text' in body ? { ...body, text: evil } : body))
  const script: Script = async function* () {
    yield* bodies
  }
  const { url } = await listen(t, createRuns(script))
  const { page } = await askAt(t, url, 'What?')
  await status(page, 'Done')
  assert.equal(await page.locator('#stage img').count(), 0)
  assert.equal(await page.title(), 'Whetstone playground')
  assert.ok((await page.locator('.candidate').first().textContent())!.includes(evil))
})

test('a server with keys serves the page without data, and the page asks for a key', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const runs = createRuns()
  const { url } = await listen(t, runs, { keys })
  const { page } = await openPage(t)
  await page.goto(url)
  const dialog = page.getByRole('dialog', { name: 'This server asks for a key' })
  await dialog.getByLabel('API key').fill('wrong')
  await dialog.getByRole('button', { name: 'Use it' }).click()
  await dialog.getByLabel('API key').fill('secret')
  await dialog.getByRole('button', { name: 'Use it' }).click()
  await page.locator('#strategy option').first().waitFor({ state: 'attached' })
  await ask(page, 'What?')
  await status(page, 'Done')
  assert.notEqual(runs.entries.size, 0)
})

test('what the server refuses is said on the page', async (t) => {
  const runs = createRuns()
  const gone = new RefineError('unknown_model', 'The model is gone.', { param: 'model' })
  runs.create = () => Promise.reject(gone)
  const { url } = await listen(t, runs)
  const { page } = await openPage(t)
  await page.goto(url)
  await page.locator('#strategy option').first().waitFor({ state: 'attached' })
  await ask(page, 'What?')
  assert.match((await page.getByRole('alert').textContent()) ?? '', /The model is gone/)
})

/** Words wider than the screen, cut-off controls, labels left out: what a phone or a screen reader would trip over. */
const inspect = (page: Page) =>
  page.evaluate(() => {
    const { document, innerWidth } = globalThis as unknown as {
      document: {
        documentElement: { scrollWidth: number }
        querySelectorAll: (selector: string) => Iterable<{
          id: string
          labels: { length: number } | null
        }>
      }
      innerWidth: number
    }
    const controls = [...document.querySelectorAll('input, select, textarea')]
    return {
      overflow: document.documentElement.scrollWidth - innerWidth,
      unlabelled: controls.filter(({ labels }) => !labels?.length).map(({ id }) => id),
    }
  })

for (const colorScheme of ['light', 'dark'] as const) {
  test(`on a phone, ${colorScheme}, nothing runs off the screen and every control has a label`, async (t) => {
    const { url } = await listen(t, createRuns())
    const { page, faults } = await openPage(t, {
      viewport: { width: 360, height: 740 },
      colorScheme,
    })
    await page.goto(url)
    await ask(page, 'What?')
    await status(page, 'Done')
    assert.deepEqual(await inspect(page), { overflow: 0, unlabelled: [] })
    assert.deepEqual(faults, [])
  })
}

test('the page loads nothing from elsewhere and its files are a fixed list', async (t: TestContext) => {
  const { url } = await listen(t)
  const page = await fetch(url)
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'/)
  assert.doesNotMatch(await page.text(), /(?:src|href)="(?:https?:)?\/\//)
  const again = await fetch(url, { headers: { 'if-none-match': page.headers.get('etag')! } })
  assert.equal(again.status, 304)
  for (const path of ['../main.js', '..%2fmain.js', 'client/none.js'])
    assert.equal((await fetch(`${url}/assets/${path}`)).status, 404, path)
})

test('events of types the page does not know change nothing', async () => {
  const { RunView } = (await import(
    new URL('../../src/playground/run-view.js', import.meta.url).href
  )) as { RunView: new () => { apply: (event: unknown) => void; status: string; notes: unknown[] } }
  const view = new RunView()
  const envelope = { run_id: 'run_1', at: new Date(0).toISOString() }
  view.apply({ ...envelope, sequence: 1, type: 'answer.applauded' as RunEvent['type'] })
  assert.deepEqual([view.status, view.notes], ['running', []])
})
