/** Which runs are compared with another arm's answer to the same prompt, and what that may still cost. */
import { hashToUnit } from '../core/random.ts'
import type {
  DuelOutcome,
  DuelStore,
  ExposedRun,
  OpenDuel,
  Phase,
} from '../core/experiment-store.ts'
import type { RunState } from '../core/run-state.ts'
import type { Definitions } from './definitions.ts'
import type { Arm, Experiment } from './experiment.ts'

/** Open duels that are looked at together. */
const MOST_OPEN = 1000

/** A duel with what is needed to fight it. */
export interface Challenge {
  readonly duel: OpenDuel
  readonly experiment: Experiment
  readonly arm: Arm
  readonly judge: string
  /** Duels of the experiment at a time. */
  readonly concurrency: number
  /** Money that is left, Infinity without a limit. */
  readonly left: number
}

/**
 * The arm that a run is compared with, if any: chance by the run's id, the same again and again, equally among all
 * arms that are not switched off.
 */
export const opponentOf = (
  { key, salt, arms, duel }: Experiment,
  runId: string,
  served: string,
): Arm | undefined => {
  const chance = (what: string): number => hashToUnit(`${what}:${key}:${salt}:${runId}`)
  if (duel === undefined || chance('duel') >= duel.share) return undefined
  const others = arms.filter(({ name, killed }) => name !== served && killed === undefined)
  return others[Math.floor(chance('opponent') * others.length)]
}

export class DuelBook {
  readonly #store: DuelStore
  readonly #definitions: Definitions
  readonly #now: () => Date
  /** Phases whose budget is spent: no more duels are opened. */
  readonly #spent = new Set<string>()
  /** Runs end all the time, and most open no duel. An earlier process may have left some. */
  #mayBeOpen = true
  /** Duels that this process opened. */
  #opened = 0

  constructor(store: DuelStore, definitions: Definitions, now: () => Date) {
    this.#store = store
    this.#definitions = definitions
    this.#now = now
  }

  /** Opens a duel of a run that has ended with an answer, where its experiment wants one. */
  async plan(experiment: Experiment, run: RunState, exposed: ExposedRun): Promise<void> {
    const { key, salt } = experiment
    if (exposed.reason !== 'assigned' || !this.#isRunning(experiment)) return
    if (run.status !== 'completed' || run.answer === null) return
    if (this.#spent.has(phaseName({ experiment: key, salt }))) return
    const opponent = opponentOf(experiment, run.id, exposed.arm)
    if (opponent === undefined) return
    const { unit, arm: served } = exposed
    const at = this.#now().toISOString()
    await this.#store.open({
      experiment: key,
      salt,
      runId: run.id,
      unit,
      served,
      other: opponent.name,
      at,
    })
    this.#opened++
    this.#mayBeOpen = true
  }

  /** Open duels that may be fought now. Those that no longer can be are closed as skipped. */
  async challenges(): Promise<Challenge[]> {
    if (!this.#mayBeOpen) return []
    const opened = this.#opened
    const open = await this.#store.listOpen(MOST_OPEN)
    this.#mayBeOpen = open.length > 0 || this.#opened > opened
    const found: Challenge[] = []
    /** By phase. */
    const leftOf = new Map<string, number>()
    for (const duel of open) {
      const experiment = await this.#definitions.ofPhase(duel.experiment, duel.salt)
      const arm = experiment?.arms.find(({ name }) => name === duel.other)
      const settings = experiment?.duel
      const isOn = experiment !== undefined && this.#isRunning(experiment)
      const phase = phaseName(duel)
      if (!leftOf.has(phase))
        leftOf.set(phase, settings === undefined ? 0 : await this.#left(experiment!, open))
      const left = leftOf.get(phase)!
      if (arm === undefined || settings === undefined || !isOn || left <= 0) {
        await this.#skip(duel)
        continue
      }
      const concurrency = settings.cost === undefined ? settings.concurrency : 1
      found.push({ duel, experiment: experiment!, arm, judge: settings.judge, concurrency, left })
    }
    return found
  }

  attempt({ runId }: OpenDuel, otherRunId: string): Promise<void> {
    return this.#store.attempt(runId, otherRunId)
  }

  giveUp({ runId }: OpenDuel, otherCost: number, judgeCost: number): Promise<void> {
    return this.#store.giveUp(runId, otherCost, judgeCost)
  }

  close({ runId }: OpenDuel, outcome: DuelOutcome): Promise<void> {
    return this.#store.close(runId, outcome)
  }

  #isRunning({ key, salt }: Experiment): boolean {
    const newest = this.#definitions.find(key)?.experiment
    return newest?.status === 'running' && newest.salt === salt && newest.mode !== 'split'
  }

  /** Money, or 0 when as many duels were fought as may be. */
  async #left({ key, salt, duel }: Experiment, open: readonly OpenDuel[]): Promise<number> {
    const { cost, maximum_duels: most = Infinity } = duel!
    if (cost === undefined && most === Infinity) return Infinity
    const phase = { experiment: key, salt }
    const tallies = await this.#store.tallies(phase)
    const fought = tallies.filter(({ end }) => end !== 'skipped')
    const duels = fought.reduce((sum, tally) => sum + tally.duels, 0)
    const ended = tallies.reduce((sum, { otherCost, judgeCost }) => sum + otherCost + judgeCost, 0)
    const under = open
      .filter((each) => phaseName(each) === phaseName(phase))
      .reduce((sum, { spent }) => sum + spent, 0)
    const left = duels >= most ? 0 : (cost ?? Infinity) - ended - under
    if (left <= 0) this.#spent.add(phaseName(phase))
    else this.#spent.delete(phaseName(phase))
    return left
  }

  #skip(duel: OpenDuel): Promise<void> {
    const nothing = { lengthDifference: 0, servedCost: 0, otherCost: 0, judgeCost: 0 }
    return this.close(duel, { end: 'skipped', ...nothing })
  }
}

const phaseName = ({ experiment, salt }: Phase): string => JSON.stringify([experiment, salt])
