/** Experiments as versioned resources: every change is a new version, and nothing is edited in place. */
import { invalidField, RefineError } from '../core/errors.ts'
import type { ExperimentStore, ExperimentVersion, Phase } from '../core/experiment-store.ts'
import type { Experiment } from './experiment.ts'
import { checkChange, checkPhase, isSameDefinition } from './experiment-changes.ts'
import { checkNeighbours, defineExperiment, type DefinitionChecks } from './experiment-rules.ts'

/** One version of an experiment. */
export interface Versioned {
  readonly experiment: Experiment
  readonly version: number
  /** When this version was made, ISO 8601. */
  readonly at: string
}

/** Versions of before there were modes say nothing of theirs. */
const withMode = (definition: unknown): Experiment => ({
  ...(definition as Experiment),
  mode: (definition as Partial<Experiment>).mode ?? 'split',
})

const toVersioned = ({ definition, version, at }: ExperimentVersion): Versioned => ({
  experiment: withMode(definition),
  version,
  at,
})

/** Fields of the change replace those before; null takes one back to its default. */
const merged = (before: Experiment, change: object): object =>
  Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== null))

const atPointer = <Value>(pointer: string, work: () => Value): Value => {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof RefineError)) throw cause
    const fields = cause.fields.map((field) => ({ ...field, pointer: pointer + field.pointer }))
    throw new RefineError(cause.code, `${pointer}: ${cause.message}`, { fields, cause })
  }
}

export class Definitions {
  readonly #store: ExperimentStore
  readonly #checks: DefinitionChecks
  readonly #now: () => Date
  /** The newest version of each, by key: one process owns the store. */
  readonly #newest = new Map<string, Versioned>()
  /** The newest definition of each phase that was asked for. */
  readonly #phases = new Map<string, Experiment>()
  #writing: Promise<unknown> = Promise.resolve()

  constructor(store: ExperimentStore, checks: DefinitionChecks, now: () => Date) {
    this.#store = store
    this.#checks = checks
    this.#now = now
  }

  async load(): Promise<void> {
    for (const version of await this.#store.experiments()) this.#keep(toVersioned(version))
  }

  /** All, by key, in their newest versions. */
  list(): Versioned[] {
    return [...this.#newest.values()].toSorted((a, b) =>
      a.experiment.key < b.experiment.key ? -1 : 1,
    )
  }

  find(key: string): Versioned | undefined {
    return this.#newest.get(key)
  }

  /** @throws RefineError not_found */
  get(key: string): Versioned {
    const found = this.#newest.get(key)
    if (found !== undefined) return found
    throw new RefineError('not_found', `There is no experiment "${key}".`, { param: 'key' })
  }

  /** @throws RefineError not_found */
  async version(key: string, version: number): Promise<Versioned> {
    this.get(key)
    const found = await this.#store.version(key, version)
    if (found !== undefined) return toVersioned(found)
    throw new RefineError('not_found', `The experiment "${key}" has no version ${version}.`)
  }

  /** The definition that stood last in a phase, for outcomes that come after a new one began. */
  async ofPhase(key: string, salt: string): Promise<Experiment | undefined> {
    const name = JSON.stringify([key, salt])
    const known = this.#phases.get(name)
    if (known !== undefined) return known
    for (let version = this.#newest.get(key)?.version ?? 0; version > 0; version--) {
      const { experiment } = await this.version(key, version)
      if (experiment.salt !== salt) continue
      this.#phases.set(name, experiment)
      return experiment
    }
    return undefined
  }

  /** Phases that were over before the time (ISO 8601): a new salt had begun another, or the experiment was decided. */
  async endedBefore(time: string): Promise<Phase[]> {
    const ended: Phase[] = []
    for (const key of this.#newest.keys()) ended.push(...(await this.#endedOf(key, time)))
    return ended
  }

  async #endedOf(key: string, time: string): Promise<Phase[]> {
    const ends = new Map<string, string | undefined>()
    let salt: string | undefined
    for (let version = 1; version <= this.get(key).version; version++) {
      const { experiment, at } = await this.version(key, version)
      if (salt !== undefined && salt !== experiment.salt && ends.get(salt) === undefined)
        ends.set(salt, at)
      salt = experiment.salt
      // A salt that is taken up again goes on where it was.
      if (experiment.status !== 'decided') ends.set(salt, undefined)
      else ends.set(salt, ends.get(salt) ?? at)
    }
    return [...ends]
      .filter(([, end]) => end !== undefined && end < time)
      .map(([each]) => ({ experiment: key, salt: each }))
  }

  /** @throws RefineError invalid_request naming the field, conflict when the key is taken */
  create(body: unknown, origin: ExperimentVersion['origin'] = 'api'): Promise<Versioned> {
    return this.#inTurn(async () => {
      const experiment = defineExperiment(body, this.#checks)
      if (this.#newest.has(experiment.key)) {
        throw new RefineError('conflict', `There is an experiment "${experiment.key}" already.`, {
          fields: [{ pointer: '/key', message: 'is taken' }],
        })
      }
      if (experiment.status === 'decided') {
        throw invalidField('/status', 'must be draft, running or paused at first')
      }
      return this.#add(experiment, 1, origin)
    })
  }

  /**
   * Adds a version with some fields changed. `expected` is the version the caller has seen; undefined takes any.
   * @throws RefineError not_found, precondition_failed, conflict, invalid_request naming the field
   */
  change(key: string, change: object, expected: number | undefined): Promise<Versioned> {
    return this.#inTurn(async () => {
      const before = this.get(key)
      if (expected !== undefined && expected !== before.version) {
        throw new RefineError(
          'precondition_failed',
          `The experiment has version ${before.version} by now, not ${expected}.`,
        )
      }
      return this.#follow(before, merged(before.experiment, change), 'api')
    })
  }

  /**
   * Applies the experiments of the configuration file, each only when the file says something else than it did last:
   * changes made through the API since then stand.
   * @throws RefineError naming the field below `/experiments`
   */
  async applyFile(definitions: readonly unknown[]): Promise<void> {
    for (const [index, body] of definitions.entries()) {
      const pointer = `/experiments/${index}`
      const experiment = atPointer(pointer, () => defineExperiment(body, this.#checks))
      const last = await this.#store.fromFile(experiment.key)
      if (last !== undefined && isSameDefinition(withMode(last.definition), experiment)) continue
      const before = this.#newest.get(experiment.key)
      await (before === undefined
        ? this.create(experiment, 'file')
        : this.#inTurn(() => this.#follow(before, experiment, 'file')))
    }
  }

  async #follow(
    before: Versioned,
    body: unknown,
    origin: ExperimentVersion['origin'],
  ): Promise<Versioned> {
    const experiment = defineExperiment(body, this.#checks)
    if (origin === 'api' && isSameDefinition(before.experiment, experiment)) return before
    checkChange(before.experiment, experiment)
    const last = await this.ofPhase(experiment.key, experiment.salt)
    if (last !== undefined) checkPhase(last, experiment)
    return this.#add(experiment, before.version + 1, origin)
  }

  async #add(
    experiment: Experiment,
    version: number,
    origin: ExperimentVersion['origin'],
  ): Promise<Versioned> {
    checkNeighbours(
      experiment,
      this.list().map((other) => other.experiment),
    )
    const at = this.#now().toISOString()
    const { key } = experiment
    const isFirst = await this.#store.addVersion({
      key,
      version,
      at,
      origin,
      definition: experiment,
    })
    if (!isFirst) throw new RefineError('precondition_failed', 'Somebody else changed it first.')
    const versioned = { experiment, version, at }
    this.#keep(versioned)
    return versioned
  }

  #keep(versioned: Versioned): void {
    const { key, salt } = versioned.experiment
    this.#newest.set(key, versioned)
    this.#phases.set(JSON.stringify([key, salt]), versioned.experiment)
  }

  /** Changes follow one another, so that each is checked against the one before. */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = this.#writing.then(work)
    this.#writing = mine.catch(() => undefined)
    return mine
  }
}
