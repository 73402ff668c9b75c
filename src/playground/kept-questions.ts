/** What this tab asked, for after a reload: a run does not tell its question. */

const PREFIX = 'whetstone-question-'

export const keptQuestion = (runId: string): string | undefined =>
  sessionStorage.getItem(PREFIX + runId) ?? undefined

/** A tab has room for a few megabytes: a question that finds none takes the place of all before, one too long is not kept. */
export const keepQuestion = (runId: string, question: string): void => {
  const keep = (): void => sessionStorage.setItem(PREFIX + runId, question)
  try {
    keep()
  } catch {
    const kept = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX))
    for (const name of kept) sessionStorage.removeItem(name)
    try {
      keep()
    } catch {
      // the run is shown without its question after a reload
    }
  }
}
