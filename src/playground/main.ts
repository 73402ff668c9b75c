/**
 * The playground. It is a client like any other: it asks through `whetstone/client`, starts runs in the background and
 * follows them, so a reload (the run's id is in the address) or a broken connection costs nothing.
 */
import { createClient, type Client } from '../client/client.ts'
import { WhetstoneError } from '../client/whetstone-error.ts'
import { find } from './element.ts'
import { QuestionForm } from './question-form.ts'
import { RunPage } from './run-page.ts'

const KEY = 'whetstone-key'
const questionKey = (runId: string): string => `whetstone-question-${runId}`

const form = new QuestionForm()
const page = new RunPage()
const runButton = find('run', HTMLButtonElement)
const stopButton = find('stop', HTMLButtonElement)
const problem = find('problem', HTMLElement)

let client: Client
let following: AbortController | undefined

const connect = (): void => {
  const apiKey = sessionStorage.getItem(KEY)
  client = createClient({
    baseUrl: new URL('.', location.href).href,
    ...(apiKey === null ? {} : { apiKey }),
  })
}

const showProblem = (error: unknown): void => {
  const isKnown = error instanceof WhetstoneError
  const fields = isKnown ? error.fields.map(({ pointer, message }) => `${pointer} ${message}`) : []
  const text = error instanceof Error ? error.message : String(error)
  problem.textContent = fields.length > 1 ? `${text} (${fields.join('; ')})` : text
  problem.hidden = false
}

/** Resolves when the visitor gave one. */
const askForKey = (): Promise<void> =>
  new Promise((resolve) => {
    const dialog = find('access', HTMLDialogElement)
    const once = { once: true }
    dialog.addEventListener(
      'close',
      () => {
        sessionStorage.setItem(KEY, find('key', HTMLInputElement).value)
        find('key', HTMLInputElement).value = ''
        connect()
        resolve()
      },
      once,
    )
    dialog.showModal()
  })

/** Tries again with another key as long as the server asks for one. */
const withKey = async <Result>(attempt: () => Promise<Result>): Promise<Result> => {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof WhetstoneError) || error.status !== 401) throw error
      await askForKey()
    }
  }
}

const runIdInAddress = (): string | undefined =>
  new URLSearchParams(location.hash.slice(1)).get('run') ?? undefined

/** Shows a run from its first event to its last. */
const follow = async (id: string): Promise<void> => {
  following?.abort()
  const own = new AbortController()
  following = own
  page.reset()
  problem.hidden = true
  stopButton.disabled = false
  form.question.value = sessionStorage.getItem(questionKey(id)) ?? form.question.value
  try {
    for await (const event of client.runs.events(id, { signal: own.signal })) {
      if (event.type === 'run.created') form.restore(event)
      page.apply(event)
    }
  } catch (error) {
    if (!own.signal.aborted) showProblem(error)
  } finally {
    if (following === own) stopButton.disabled = true
  }
}

const ask = async (): Promise<void> => {
  problem.hidden = true
  runButton.disabled = true
  try {
    const request = form.request()
    const { id } = await withKey(() => client.runs.create(request, { background: true }))
    sessionStorage.setItem(questionKey(id), form.question.value)
    history.pushState(null, '', `#run=${id}`)
    void follow(id)
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
  stopButton.disabled = true
  await client.runs.cancel(id).catch(showProblem)
}

const rate = async (value: boolean): Promise<void> => {
  const id = runIdInAddress()
  if (id === undefined) return
  try {
    await client.runs.feedback(id, { metric: 'correct', value, source: 'user' })
    find('thanks', HTMLElement).textContent = 'Noted.'
  } catch (error) {
    showProblem(error)
  }
}

const showAddress = (): void => {
  const id = runIdInAddress()
  if (id !== undefined) void follow(id)
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

connect()
try {
  await withKey(() => form.load(client))
  showAddress()
} catch (error) {
  showProblem(error)
}
