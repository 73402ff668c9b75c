/** Experiments as the rest of the server uses them: who gets which arm, what came of it, and what follows. */
import { hash } from 'node:crypto'
import { invalidField, type RefineError } from '../core/errors.ts'
import type { ExperimentFact, ExperimentStore, Outcome } from '../core/experiment-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Log } from '../core/strategy.ts'
import { assign, unitOf, type ArmAssignment, type UnitSources } from './assignment.ts'
import { Definitions, type Versioned } from './definitions.ts'
import { DuelBook } from './duel-book.ts'
import type { DefinitionChecks } from './experiment-rules.ts'
import type { Experiment } from './experiment.ts'
import { ExposedRuns } from './exposed-runs.ts'
import { covariatesOf, exposureOf, toFact, type AssignedArm, type Encounter } from './encounter.ts'
import { FactWriter } from './fact-writer.ts'
import { switchOff } from './kill-switch.ts'
import { Looks, phaseOf, type CoursePoint } from './looks.ts'
import { automaticOutcomes, reportedOutcomes, type Report } from './outcome.ts'
import type { ExperimentResults } from './results-schema.ts'

export interface ExperimentsOptions {
  readonly store: ExperimentStore
  readonly log: Log
  /** Without them any name will do. */
  readonly checks?: DefinitionChecks
  readonly now?: () => Date
}

/** What a request says of the experiment it takes part in. */
export interface Participation {
  readonly key: string
  readonly unit?: string
  readonly variant?: string
}

/** What is known of the caller. */
export interface Caller extends Omit<UnitSources, 'explicit'> {
  /** Whether the caller may choose an arm. */
  readonly mayForce: boolean
}

/** All there is to see of an experiment at one time. */
export interface ExperimentView extends Versioned {
  readonly results: ExperimentResults
  readonly course: readonly { readonly at: string; readonly point: CoursePoint }[]
}

/** A unit's name may be a person's: only its hash is kept. */
const unitName = ({ key, salt }: Experiment, unit: string): string =>
  hash('sha256', `unit:${key}:${salt}:${unit}`).slice(0, 32)

export class Experiments {
  readonly definitions: Definitions
  readonly duels: DuelBook
  readonly #store: ExperimentStore
  readonly #log: Log
  readonly #writer: FactWriter
  readonly #looks: Looks
  readonly #now: () => Date
  readonly #exposed: ExposedRuns
  readonly #looking = new Set<Promise<unknown>>()

  private constructor({ store, log, checks = {}, now = () => new Date() }: ExperimentsOptions) {
    this.#store = store
    this.#log = log
    this.#now = now
    this.#writer = new FactWriter(store)
    this.#exposed = new ExposedRuns(store)
    this.#looks = new Looks(store, now)
    this.definitions = new Definitions(store, checks, now)
    this.duels = new DuelBook(store.duels, this.definitions, now)
  }

  static async open(options: ExperimentsOptions): Promise<Experiments> {
    const experiments = new Experiments(options)
    await experiments.definitions.load()
    return experiments
  }

  /** @throws RefineError invalid_request when there is no such experiment or the arm may not be chosen */
  async assign(participation: Participation, caller: Caller): Promise<AssignedArm> {
    const { key, unit: explicit, variant } = participation
    const found = this.definitions.find(key)
    if (found === undefined) {
      throw invalidField('/experiment/key', `There is no experiment "${key}".`)
    }
    const { experiment } = found
    const { mayForce, ...sources } = caller
    const unit = unitOf(experiment, { ...sources, ...(explicit !== undefined && { explicit }) })
    const shares = await this.#looks.shares(experiment)
    const winner = await this.#winner(experiment)
    const fresh = assign(experiment, unit, {
      mayForce,
      ...(variant !== undefined && { variant }),
      ...(shares !== undefined && { shares }),
      ...(winner !== undefined && { winner }),
    })
    const name = unitName(experiment, unit)
    const kept = await this.#kept(experiment, name, fresh)
    const { arm, reason, propensity, bucket, isRecorded } = kept
    const assignment = { experiment: key, arm: arm.name, reason, propensity }
    return { arm, assignment, experiment, unit: name, bucket, isRecorded }
  }

  /** The unit met its arm in this run. Resolves when that is durable. */
  exposed(run: Encounter): Promise<void> {
    return this.#expose([run], [])
  }

  /** Units met their arms elsewhere: nothing more is measured of them. Resolves when all of it is durable. */
  exposedOutside(encounters: readonly Encounter[]): Promise<void> {
    const settled = encounters
      .filter(({ assigned }) => assigned.isRecorded)
      .map(({ runId }) => ({ type: 'settled', runId }) as const)
    return this.#expose(encounters, settled)
  }

  /** Which of the runs were exposed. */
  async known(runIds: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#exposed.find(runIds)).keys())
  }

  /**
   * Records what is measured of every run that has ended; nothing for a run that was never exposed. Doing it again
   * changes nothing. Resolves when it is durable.
   */
  async settled(run: RunState, firstRevisionAt: string | undefined): Promise<void> {
    if (run.assignment === null) return
    const exposed = (await this.#exposed.find([run.id])).get(run.id)
    if (exposed === undefined) return
    const experiment = await this.definitions.ofPhase(exposed.experiment, exposed.salt)
    const outcomes =
      experiment === undefined ? [] : automaticOutcomes(experiment, run, firstRevisionAt)
    // Before it is settled: what a crash leaves out is done again.
    if (experiment !== undefined) await this.duels.plan(experiment, run, exposed)
    await this.#writer.add([...outcomes.map(toFact), { type: 'settled', runId: run.id }])
  }

  /** Ids of runs that an earlier process exposed and did not settle. */
  unsettled(): Promise<readonly string[]> {
    return this.#store.unsettled()
  }

  /** Says goodbye to an unsettled run of which nothing is left. */
  forget(runId: string): Promise<void> {
    return this.#writer.add([{ type: 'settled', runId }])
  }

  /**
   * Checks what somebody says of runs against the metrics of their experiments. Resolves with what `record` takes, in the
   * order of the reports: empty where nothing is to be counted, the error where a report is at fault.
   */
  async reported(reports: readonly Report[]): Promise<(Outcome[] | RefineError)[]> {
    const exposed = await this.#exposed.find(reports.map(({ runId }) => runId))
    const at = this.#now().toISOString()
    return Promise.all(
      reports.map(async (report) => {
        const run = exposed.get(report.runId)
        const experiment = run && (await this.definitions.ofPhase(run.experiment, run.salt))
        const reported = run && experiment && { experiment, exposed: run, at }
        return reportedOutcomes(reported, report)
      }),
    )
  }

  /** Resolves when all outcomes are durable; each replaces an earlier one of the same run, name and reporter. */
  record(outcomes: readonly Outcome[]): Promise<void> {
    return this.#writer.add(outcomes.map(toFact))
  }

  /**
   * Removes some of what is known of the units of phases that were over before the time, ISO 8601; results stay. Resolves
   * with the number of units, 0 when all are gone.
   */
  async forgetUnits(before: string, limit: number): Promise<number> {
    for (const phase of await this.definitions.endedBefore(before)) {
      const count = await this.#store.forgetUnits(phase, limit)
      if (count > 0) return count
    }
    return 0
  }

  /** Everything there is to see as of now, including what was acknowledged before. @throws RefineError not_found */
  async view(key: string): Promise<ExperimentView> {
    await this.#writer.barrier()
    const results = await this.#look(key)
    const versioned = this.definitions.get(key)
    const course = await this.#looks.course(versioned.experiment)
    return { ...versioned, results, course }
  }

  /** Results as of now. */
  async #look(key: string): Promise<ExperimentResults> {
    const versioned = this.definitions.get(key)
    const results = await this.#looks.take(versioned.experiment)
    await switchOff(this.definitions, versioned, results, this.#log)
    return results
  }

  /** Resolves when everything handed in is durable and no look is under way. */
  async idle(): Promise<void> {
    await this.#writer.idle()
    while (this.#looking.size > 0) await Promise.all(this.#looking)
  }

  /** Under adaptive allocation a unit stays with the arm it met first. */
  async #kept(experiment: Experiment, unit: string, fresh: ArmAssignment): Promise<ArmAssignment> {
    if (experiment.allocation.type === 'fixed' || fresh.reason !== 'assigned') return fresh
    const first = await this.#store.exposure(phaseOf(experiment), unit)
    const arm = experiment.arms.find(({ name }) => name === first?.arm)
    if (first === undefined || arm === undefined || arm.killed !== undefined) return fresh
    return { ...fresh, arm, propensity: first.propensity }
  }

  /** Arm that ships, once the experiment is over. */
  async #winner(experiment: Experiment): Promise<string | undefined> {
    if (experiment.status !== 'decided') return undefined
    return (await this.#looks.latest(experiment))?.decision.arm ?? undefined
  }

  async #expose(
    encounters: readonly Encounter[],
    settled: readonly ExperimentFact[],
  ): Promise<void> {
    const exposures = encounters.flatMap((each) => exposureOf(each, this.#now().toISOString()))
    if (exposures.length === 0) return
    const covariates = encounters.flatMap(covariatesOf)
    await this.#writer.add([...exposures, ...covariates, ...settled])
    for (const { runId, ...run } of exposures) this.#exposed.remember(runId, run)
    for (const { assigned } of encounters) {
      const { assignment, experiment } = assigned
      if (assignment.reason !== 'assigned') continue
      if (this.#looks.count(experiment)) this.#lookSoon(experiment.key)
    }
  }

  #lookSoon(key: string): void {
    const look = this.#writer
      .barrier()
      .then(() => this.#look(key))
      .catch((cause: unknown) => {
        this.#log.error({ err: cause, experiment: key }, 'a look failed')
      })
    this.#looking.add(look)
    void look.then(() => this.#looking.delete(look))
  }
}
