/**
 * The playground. It is a client like any other: it asks through `whetstone/client`, starts runs in the background and
 * follows them, so a reload (the run's id is in the address) or a broken connection costs nothing.
 */
import { WhetstoneError } from '../client/whetstone-error.ts'
import { Access } from './access.ts'
import { find } from './element.ts'
import { keepQuestion, keptQuestion } from './kept-questions.ts'
import { QuestionForm } from './question-form.ts'
import { RunPage } from './run-page.ts'

const access = new Access()
const form = new QuestionForm()
const page = new RunPage()
const runButton = find('run', HTMLButtonElement)
const stopButton = find('stop', HTMLButtonElement)
const problem = find('problem', HTMLElement)

let following: AbortController | undefined

const showProblem = (error: unknown): void => {
  const isKnown = error instanceof WhetstoneError
  const fields = isKnown ? error.fields.map(({ pointer, message }) => `${pointer} ${message}`) : []
  const text = error instanceof Error ? error.message : String(error)
  problem.textContent = fields.length > 1 ? `${text} (${fields.join('; ')})` : text
  problem.hidden = false
  problem.scrollIntoView({ block: 'nearest' })
}

const runIdInAddress = (): string | undefined =>
  new URLSearchParams(location.hash.slice(1)).get('run') || undefined

/** A button that is switched off would lose the focus to nothing: who pressed it reads what became of the run. */
const endStop = (): void => {
  const isFocused = document.activeElement === stopButton
  stopButton.disabled = true
  if (isFocused) find('status', HTMLElement).focus()
}

/** Leaves the run that is shown; it goes on without the page. */
const leave = (): void => {
  following?.abort()
  following = undefined
  page.reset()
  problem.hidden = true
  stopButton.disabled = true
}

/** Shows a run from its first event to its last, and in the form what it was made with unless the form made it. */
const follow = async (id: string, isOwn: boolean): Promise<void> => {
  leave()
  const own = new AbortController()
  following = own
  try {
    for await (const event of access.client.runs.events(id, { signal: own.signal })) {
      if (event.type === 'run.created') {
        stopButton.disabled = false
        if (!isOwn) form.restore(event, keptQuestion(id))
      }
      page.apply(event)
    }
  } catch (error) {
    if (own.signal.aborted) return
    showProblem(error)
    if (error instanceof WhetstoneError && error.retryable) page.lose()
  } finally {
    if (following === own && page.view.isOver) endStop()
  }
}

const load = (): Promise<void> => access.attempt((client) => form.load(client))

const ask = async (): Promise<void> => {
  if (runButton.disabled) return // asked by the keyboard
  problem.hidden = true
  runButton.disabled = true
  try {
    if (!form.isLoaded) await load()
    const request = form.request()
    const { id } = await access.attempt(({ runs }) => runs.create(request, { background: true }))
    keepQuestion(id, request.input)
    history.pushState(null, '', `#run=${id}`)
    void follow(id, true)
    // On a phone the form fills the screen.
    if (matchMedia('(max-width: 56rem)').matches) find('stage', HTMLElement).scrollIntoView()
  } catch (error) {
    showProblem(error)
  } finally {
    runButton.disabled = false
  }
}

const stop = async (): Promise<void> => {
  const id = runIdInAddress()
  if (id === undefined) return
  endStop()
  try {
    await access.client.runs.cancel(id)
  } catch (error) {
    showProblem(error)
    stopButton.disabled = page.view.isOver
  }
}

const rate = async (value: boolean): Promise<void> => {
  const id = runIdInAddress()
  if (id === undefined) return
  try {
    await access.client.runs.feedback(id, { metric: 'correct', value, source: 'user' })
    find('thanks', HTMLElement).textContent = 'Noted.'
  } catch (error) {
    showProblem(error)
  }
}

const showAddress = (): void => {
  const id = runIdInAddress()
  if (id !== undefined) return void follow(id, false)
  leave()
  page.showEmpty()
}

/** A phone that was asleep, a network that came back. */
const goOn = (): void => {
  const id = runIdInAddress()
  if (page.view.isLost && !document.hidden && id !== undefined) void follow(id, true)
}

form.form.addEventListener('submit', (event) => {
  event.preventDefault()
  void ask()
})
stopButton.addEventListener('click', () => void stop())
for (const button of document.querySelectorAll<HTMLButtonElement>('#feedback button')) {
  button.addEventListener('click', () => void rate(button.dataset['value'] === 'true'))
}
addEventListener('popstate', showAddress)
addEventListener('online', goOn)
document.addEventListener('visibilitychange', goOn)

try {
  await load()
  if (runIdInAddress() !== undefined) showAddress()
} catch (error) {
  showProblem(error)
}
