/** What a restart does with the logs of an earlier process. */
import type { RunEvent } from '../core/event.ts'
import type { RunStore } from '../core/run-store.ts'
import { salvage } from './best-answer.ts'
import type { EventWriter } from './event-writer.ts'
import { LiveRun } from './live-run.ts'
import type { RunRequest } from './run-request.ts'

const PAGE = 500

/** The stored events above `after`, page by page, so that a long log is never in memory at once. */
export async function* storedPages(
  store: RunStore,
  id: string,
  after: number,
): AsyncGenerator<readonly RunEvent[], void, void> {
  let position = after
  for (;;) {
    const page = await store.events(id, position, PAGE)
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    position = page.at(-1)!.sequence
  }
}

const recoverRun = async (store: RunStore, writer: EventWriter, id: string): Promise<void> => {
  const record = await store.read(id)
  if (record === undefined) return
  const { webhook } = record.request as RunRequest
  const live = new LiveRun(id, record.owner, writer, webhook)
  for await (const page of storedPages(store, id, 0)) for (const event of page) live.restore(event)
  if (live.ended) {
    const { state, deliveries } = live.outcome()
    return store.finish(state, deliveries)
  }
  const { usage } = live.state
  const answer = await salvage(live)
  const error = { code: 'interrupted', message: 'The server stopped while the run was going on.' }
  await live.append({ type: 'run.failed', answer, usage, error })
  await writer.idle()
}

/** Ends the runs that a crash left behind: failed, with the best answer they had. Resolves with their number. */
export const recoverRuns = async (store: RunStore, writer: EventWriter): Promise<number> => {
  const left = await store.unfinished()
  for (const id of left) await recoverRun(store, writer, id)
  return left.length
}
