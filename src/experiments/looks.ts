/**
 * Looks at the data of a phase: results, the decision that stands, and the course over time. The intervals hold at all
 * looks together, so they are taken as often as is useful: when somebody asks, and whenever the units grew by a twentieth.
 */
import type { ArmTally, ExperimentStore, Phase } from '../core/experiment-store.ts'
import type { Experiment } from './experiment.ts'
import type { DuelData } from './duel-results.ts'
import { resultsOf, type ArmData } from './results.ts'
import type { ExperimentResults } from './results-schema.ts'
import { sharesOf } from './shares.ts'

/** One point of the course: what a plot over time needs. */
export interface CoursePoint {
  readonly exposures: Readonly<Record<string, number>>
  readonly srm: number | null
  /** By arm (but the first) and metric. */
  readonly arms: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly difference: number | null
            readonly interval: readonly (number | null)[] | null
          }
        >
      >
    >
  >
}

/** Latest comparisons by which the judge's taste for length is told: a fit of some milliseconds. */
const DUELS_FOR_LENGTH = 5000

interface Counter {
  units: number
  /** Units at which the next look is taken unasked. */
  next: number
}

interface Seen {
  /** Units at the last point of the course. */
  readonly drawn: number
  readonly shares: readonly number[] | undefined
}

export const phaseOf = ({ key, salt }: Experiment): Phase => ({ experiment: key, salt })

const toData = ({ arm, exposures, metrics }: ArmTally): ArmData => ({
  name: arm,
  exposures,
  metrics: Object.fromEntries(
    Object.entries(metrics).map(([name, { runs, sums, sketch }]) => [
      name,
      { count: runs, sums, sketch },
    ]),
  ),
})

const unitsOf = ({ arms }: ExperimentResults): number =>
  arms.reduce((sum, { exposures }) => sum + exposures, 0)

const pointOf = ({ arms, srm }: ExperimentResults): CoursePoint => ({
  exposures: Object.fromEntries(arms.map(({ name, exposures }) => [name, exposures])),
  srm: srm.p,
  arms: Object.fromEntries(
    arms
      .slice(1)
      .map(({ name, metrics }) => [
        name,
        Object.fromEntries(
          Object.entries(metrics).map(([metric, { difference, interval_anytime: interval }]) => [
            metric,
            { difference, interval },
          ]),
        ),
      ]),
  ),
})

export class Looks {
  readonly #store: ExperimentStore
  readonly #now: () => Date
  readonly #counters = new Map<string, Counter>()
  readonly #seen = new Map<string, Seen>()
  /** Looks of one phase follow one another: each builds on the one before. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(store: ExperimentStore, now: () => Date) {
    this.#store = store
    this.#now = now
  }

  /** Results as of now; kept, with the decision that follows from them. */
  take(experiment: Experiment): Promise<ExperimentResults> {
    const name = JSON.stringify(phaseOf(experiment))
    const before = this.#last.get(name) ?? Promise.resolve()
    const mine = before.catch(() => undefined).then(() => this.#take(experiment, name))
    this.#last.set(name, mine)
    return mine
  }

  /** The results kept last. */
  async latest(experiment: Experiment): Promise<ExperimentResults | undefined> {
    const look = await this.#store.lastLook(phaseOf(experiment))
    return look?.body as ExperimentResults | undefined
  }

  async course(
    experiment: Experiment,
  ): Promise<readonly { readonly at: string; readonly point: CoursePoint }[]> {
    const points = await this.#store.course(phaseOf(experiment))
    return points.map(({ at, body }) => ({ at, point: body as CoursePoint }))
  }

  /** A unit was exposed; true when it is time for a look. */
  count(experiment: Experiment): boolean {
    const name = JSON.stringify(phaseOf(experiment))
    const counter = this.#counters.get(name) ?? { units: 0, next: 0 }
    this.#counters.set(name, counter)
    counter.units += 1
    if (counter.units < counter.next) return false
    counter.next = Infinity // until the look has been taken
    return true
  }

  /** Shares of the arms under adaptive allocation; undefined where the weights stand. */
  async shares(experiment: Experiment): Promise<readonly number[] | undefined> {
    if (experiment.allocation.type === 'fixed') return undefined
    const name = JSON.stringify(phaseOf(experiment))
    if (!this.#seen.has(name)) await this.take(experiment)
    return this.#seen.get(name)?.shares
  }

  async #duels(phase: Phase): Promise<DuelData> {
    const { duels } = this.#store
    const compared = await duels.compared(phase, DUELS_FOR_LENGTH)
    return { tallies: await duels.tallies(phase), compared }
  }

  async #take(experiment: Experiment, name: string): Promise<ExperimentResults> {
    const phase = phaseOf(experiment)
    const data = (await this.#store.tallies(phase)).map(toData)
    const previous = await this.latest(experiment)
    const at = this.#now().toISOString()
    const duels = experiment.mode === 'split' ? undefined : await this.#duels(phase)
    const results = resultsOf(experiment, data, {
      at,
      ...(previous && { previous }),
      ...(duels && { duels }),
    })
    const units = unitsOf(results)
    const drawn = this.#seen.get(name)?.drawn ?? (previous === undefined ? -1 : unitsOf(previous))
    const isNews =
      units >= drawn * 1.02 + 1 || previous?.decision.status !== results.decision.status
    const next = Math.max(units + 10, Math.ceil(units * 1.05))
    this.#counters.set(name, { units, next })
    this.#seen.set(name, { drawn: isNews ? units : drawn, shares: sharesOf(experiment, data) })
    const point = isNews ? { at, body: pointOf(results) } : undefined
    await this.#store.saveLook(phase, { at, body: results }, point)
    return results
  }
}
