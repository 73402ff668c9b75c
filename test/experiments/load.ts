/** Units, each exposed once and reported on once, as many at a time as asked for; and a check of what arrived. */
import type { FeedbackRecord, RunStore } from '../../src/core/run-store.ts'
import { Experiments } from '../../src/experiments/experiments.ts'
import type { Report } from '../../src/experiments/outcome.ts'
import { openPostgresStore } from '../../src/storage/postgres.ts'
import { openSqliteThread } from '../../src/storage/sqlite-thread.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

export const DEFINITION = {
  key: 'load',
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
}

export interface Opened {
  readonly experiments: Experiments
  readonly store: RunStore
}

/** `place` is a folder or the address of a database. */
export const openLoad = async (place: string): Promise<Opened> => {
  const isAddress = place.startsWith('postgres:')
  const store = isAddress ? await openPostgresStore(place, silent) : await openSqliteThread(place)
  const experiments = await Experiments.open({
    store: store.experiments,
    log: silent,
  })
  if (experiments.definitions.find('load') === undefined) {
    await experiments.definitions.create(DEFINITION)
  }
  return { experiments, store }
}

/** Exposes a unit; resolves when that is acknowledged. */
export const expose = async ({ experiments }: Opened, unit: number): Promise<void> => {
  const caller = { conversation: '', question: '', mayForce: false }
  const assigned = await experiments.assign({ key: 'load', unit: String(unit) }, caller)
  await experiments.exposed({ runId: `run_${unit}`, assigned, metadata: {} })
}

/** Whether the feedback on a unit is good; a third is. */
export const isGood = (unit: number): boolean => unit % 3 === 0

/** Lets a report count; resolves when that is acknowledged. @throws what is wrong with the report */
export const count = async (experiments: Experiments, report: Report): Promise<void> => {
  const [outcomes] = await experiments.reported([report])
  if (outcomes instanceof Error) throw outcomes
  await experiments.record(outcomes!)
}

const feedbackOn = (unit: number): FeedbackRecord => ({
  id: `feedback_${unit}`,
  run_id: `run_${unit}`,
  metric: 'correct',
  value: isGood(unit),
  source: 'load',
  at: new Date().toISOString(),
})

/** Feedback on a unit, as the server takes it; resolves when that is acknowledged. */
export const report = async (opened: Opened, unit: number): Promise<void> => {
  await opened.store.addFeedback(feedbackOn(unit))
  const said = { metric: 'correct', value: isGood(unit), source: 'load' }
  await count(opened.experiments, { runId: `run_${unit}`, ...said })
}

/** Works through the units from `from` on until `isOver`, `width` at a time. Resolves with the first one not begun. */
export const work = async (
  width: number,
  from: number,
  isOver: (unit: number) => boolean,
  one: (unit: number) => Promise<void>,
): Promise<number> => {
  let next = from
  const worker = async (): Promise<void> => {
    while (!isOver(next)) await one(next++)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return next
}
