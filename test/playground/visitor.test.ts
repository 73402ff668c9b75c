import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import type { Page } from 'playwright-core'
import { openPage } from '../support/browser.ts'
import {
  begun,
  endless,
  heldAt,
  refinement,
  scripted,
  usage,
  type Body,
} from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'
import { ask, askAt, createRuns, status } from './fixtures.ts'

/** What has the keyboard's focus, by its name. */
const focused = (page: Page): Promise<string | null> =>
  page.locator(':focus').getAttribute('aria-label')

const problem = (page: Page) => page.locator('#problem:not([hidden])')

test('a question is asked once, however often its keys are pressed', async (t) => {
  const { url, runs } = await listen(t, createRuns())
  const { page } = await openPage(t)
  await page.goto(url)
  await page.getByLabel('n', { exact: true }).waitFor()
  await page.evaluate(`for (let times = 0; times < 3; times++) {
    const keys = new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true })
    document.getElementById('question').dispatchEvent(keys)
  }`)
  await status(page, 'Done')
  assert.equal(runs.requests.length, 1)
})

test('what has the focus keeps it while the run goes on', async (t) => {
  const { script, goOn } = heldAt(7)
  const { url } = await listen(t, createRuns(script))
  const { page } = await askAt(t, url, 'What?')
  await page.getByRole('group', { name: 'Critique' }).focus()
  goOn()
  await page.getByText('Found wrong, step 1').waitFor()
  await status(page, 'Done')
  assert.equal(await focused(page), 'Critique')
  const first = page.getByRole('button', { name: 'Revision 1' })
  await first.press('Enter')
  await page.locator('[aria-pressed=true]', { hasText: '1 ·' }).waitFor()
  assert.match((await focused(page))!, /^Revision 1/)
})

test('what is removed from an answer is seen, not read aloud', async (t) => {
  const { url } = await listen(t, createRuns())
  const { page } = await askAt(t, url, 'What?')
  await status(page, 'Done')
  const answer = page.getByRole('region', { name: 'Answer' })
  assert.equal(await answer.locator('del').textContent(), '41')
  const aloud = await answer.ariaSnapshot()
  assert.match(aloud, /42/)
  assert.doesNotMatch(aloud, /41/)
})

test('an option that is no JSON is named, and its default is not sent', async (t) => {
  const { url, runs } = await listen(t, createRuns())
  const { page } = await openPage(t)
  await page.goto(url)
  await page.getByLabel('widths').fill('[4, ')
  await ask(page, 'What?')
  assert.match((await problem(page).textContent())!, /"widths" must be JSON/)
  await page.getByLabel('widths').fill('[ 4 ]')
  await ask(page, 'What?')
  await status(page, 'Done')
  assert.deepEqual(
    runs.requests.map(({ options }) => options),
    [{}],
  )
})

const FILL_STORAGE = `for (let length = 4e6; length >= 1; length = Math.floor(length / 2)) {
  try {
    for (let at = 0; ; at++) sessionStorage.setItem(length + '-' + at, 'x'.repeat(length))
  } catch {} // that much does not fit any more
}`

test('a field that keeps the form from being sent is shown, wherever it is', async (t) => {
  const runs = createRuns()
  const { url } = await listen(t, runs)
  const { page } = await openPage(t)
  await page.goto(url)
  await page.getByText('Budget and sampling').click()
  await page.getByLabel('Calls').fill('0')
  await page.getByText('Budget and sampling').click()
  await ask(page, 'What?')
  await page.locator('#calls:focus').waitFor()
  await page.getByLabel('Calls').fill('3')
  await ask(page, 'What?')
  await status(page, 'Done')
  const [strategy] = runs.strategies()
  runs.strategies = () => [{ ...strategy!, name: 'other' }]
  await page.reload()
  await status(page, 'Done')
  await page.getByRole('button', { name: 'Answer', exact: true }).click()
  await page.locator('#strategy:focus').waitFor()
  assert.equal(runs.requests.length, 1)
})

test('a run is followed even when the tab has no room for its question', async (t) => {
  const { url } = await listen(t, createRuns())
  const { page } = await askAt(t, url, 'What?')
  await status(page, 'Done')
  await page.evaluate(FILL_STORAGE)
  await ask(page, 'What now?')
  await page.waitForURL(/#run=run_2/)
  await status(page, 'Done')
  assert.equal(await problem(page).count(), 0)
})

test('a stop that did not arrive can be asked for again', async (t) => {
  const { url, runs } = await listen(t, createRuns(endless(refinement.slice(0, 8))))
  const { page } = await askAt(t, url, 'What?')
  await page.getByText('Off by one.').waitFor()
  await page.route('**/cancel', (route) => route.abort(), { times: 1 })
  const stop = page.getByRole('button', { name: 'Stop with the best so far' })
  await stop.click()
  await problem(page).waitFor()
  await stop.click()
  await status(page, 'Stopped')
  assert.deepEqual(runs.cancelled, ['run_1'])
})

test('whoever stops a run by the keyboard is led to what became of it', async (t) => {
  const { url } = await listen(t, createRuns(endless(refinement.slice(0, 8))))
  const { page } = await askAt(t, url, 'What?')
  await page.getByText('Off by one.').waitFor()
  await page.getByRole('button', { name: 'Stop with' }).press('Enter')
  await page.locator('#status:focus', { hasText: 'Stopped' }).waitFor()
})

test('a run that ends by itself leaves the focus of its stop on the page', async (t) => {
  const { script, goOn } = heldAt(8)
  const { url } = await listen(t, createRuns(script))
  const { page } = await askAt(t, url, 'What?')
  await page.getByText('Off by one.').waitFor()
  await page.getByRole('button', { name: 'Stop with' }).focus()
  goOn()
  await page.locator('#status:focus', { hasText: 'Done' }).waitFor()
})

test('a link to a run shows its budget, its sampling and its seed, and not those of another', async (t) => {
  const { url, runs } = await listen(t, createRuns())
  const first = await runs.create(
    {
      input: 'What?',
      budget: { calls: 12, seconds: 1.5 },
      sampling: { temperature: 0, max_tokens: 64, top_p: 0.5 },
      seed: 7,
    },
    '',
  )
  const second = await runs.create({ input: 'What?', budget: { tokens: 90 }, seed: 0 }, '')
  const { page } = await openPage(t)
  const shown = () =>
    page.evaluate(
      `['calls', 'tokens', 'seconds', 'temperature', 'max_tokens', 'seed'].map((id) => document.getElementById(id).value)`,
    )
  await page.goto(`${url}/#run=${first}`)
  await status(page, 'Done')
  assert.deepEqual(await shown(), ['12', '', '1.5', '0', '64', '7'])
  await page.goto(`${url}/#run=${second}`)
  await page.locator('#facts', { hasText: 'seed 0' }).waitFor()
  assert.deepEqual(await shown(), ['', '90', '', '', '', '0'])
})

test('a critique that was under way when the run ended is told to be unfinished', async (t) => {
  const { url } = await listen(t, createRuns(endless(refinement.slice(0, 7))))
  const { page } = await askAt(t, url, 'What?')
  const critique = page.getByRole('group', { name: 'Critique' })
  await critique.getByText('Off by one.').waitFor()
  assert.match((await critique.textContent())!, /^Critique: /)
  await page.getByRole('button', { name: 'Stop with' }).click()
  await status(page, 'Stopped')
  assert.match((await critique.textContent())!, /^Unfinished critique: Off by one\./)
})

test('the way back leads to the empty page, and a link to a run shows no other question', async (t) => {
  const { url } = await listen(t, createRuns(endless(refinement.slice(0, 8))))
  const { page } = await askAt(t, url, 'What?')
  await page.getByText('Off by one.').waitFor()
  await page.goBack()
  await page.getByText('Ask something').waitFor()
  assert.equal(await page.locator('#state, #answer, .candidate').locator('visible=true').count(), 0)
  assert.ok(await page.getByRole('button', { name: 'Stop with' }).isDisabled())
  await page.evaluate('sessionStorage.clear()') // as in another tab
  await page.goForward()
  await page.getByText('Off by one.').waitFor()
  assert.equal(await page.getByLabel('Question').inputValue(), '')
})

test('a visitor without a key is not kept, and may give one later', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const { url, runs } = await listen(t, createRuns(), { keys })
  const { page } = await openPage(t)
  await page.goto(url)
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await page.keyboard.press('Escape')
  await problem(page).waitFor()
  assert.ok(await dialog.isHidden())
  await ask(page, 'What?')
  const use = dialog.getByRole('button', { name: 'Use it' })
  await dialog.getByLabel('API key').fill('schlüssel')
  await use.click()
  assert.ok(await dialog.isVisible(), 'no header can carry it')
  assert.ok(await dialog.getByRole('alert').isHidden())
  await dialog.getByLabel('API key').fill('other')
  await use.click()
  await dialog.getByText('It does not know the key').waitFor()
  await dialog.getByLabel('API key').fill(' secret ')
  await use.click()
  await status(page, 'Done')
  assert.equal(runs.requests[0]?.strategy, 'best-of-n')
})

const LONG = 'x'.repeat(20_000)

const hostile: Body[] = [
  begun,
  { type: 'candidate.delta', candidate: 0, text: `שלום עולם, hello\n${LONG}` },
  { type: 'candidate.scored', candidate: 0, scorer: LONG, score: 1, range: [0, 1] },
  { type: 'critique.completed', candidate: 0, text: LONG },
  { type: 'answer.revised', revision: 1, candidate: 0, text: LONG, reason: LONG, score: 1 },
  {
    type: 'vote.updated',
    answers: [{ answer: LONG, weight: 1, candidates: [0] }],
    effective_answers: 1,
  },
  { type: 'warning', code: 'degraded', message: LONG },
  {
    type: 'run.failed',
    answer: { text: LONG, candidate: 0, revision: 1, score: 1 },
    usage,
    error: { code: 'internal', message: LONG },
  },
]

/** How far the page is wider than the screen, and whether the first word of the candidate begins in its right half. */
const MEASURE = `(() => {
  const box = document.querySelector('.candidate .text')
  const word = document.createRange()
  word.setStart(box.firstChild, 0)
  word.setEnd(box.firstChild, 4)
  const { left, right } = box.getBoundingClientRect()
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    isRight: word.getBoundingClientRect().right > (left + right) / 2,
  }
})()`

test('on a phone no word of a model or an error is too long, and Hebrew is set from the right', async (t) => {
  const { url } = await listen(t, createRuns(scripted(hostile)))
  const { page, faults } = await openPage(t, { viewport: { width: 360, height: 740 } })
  await page.goto(url)
  await ask(page, 'What?')
  await status(page, 'Failed')
  assert.deepEqual(await page.evaluate(MEASURE), { overflow: 0, isRight: true })
  assert.deepEqual(faults, [])
})

test('a connection that stays away is told, and taken up when the network is back', async (t) => {
  const { script, goOn } = heldAt(8)
  const { url } = await listen(t, createRuns(script))
  const { page } = await openPage(t)
  await page.clock.install()
  await page.goto(url)
  await ask(page, 'What?')
  await page.getByText('Off by one.').waitFor()
  await page.context().setOffline(true)
  while ((await page.locator('#status').textContent()) !== 'Out of touch') {
    await page.clock.runFor(10_000)
  }
  assert.match((await problem(page).textContent())!, /No server answers/)
  assert.ok(await page.getByRole('button', { name: 'Stop with' }).isEnabled())
  await page.context().setOffline(false)
  await page.clock.resume()
  goOn()
  await status(page, 'Done: threshold')
  assert.equal(await problem(page).count(), 0)
})
