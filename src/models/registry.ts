/** The models a server knows, by id. Each is made when it is first needed and kept until the registry is closed. */
import { RefineError, toRefineError } from '../core/errors.ts'
import type { CapabilityRecord, LanguageModel, Price } from '../core/language-model.ts'

/** Entry of `GET /v1/models`. */
export interface ModelListing {
  readonly id: string
  readonly adapter: string
  readonly capabilities: CapabilityRecord
  readonly context_length: number | null
  readonly price: Price
}

/** A model that may not exist yet. */
export interface ModelSource {
  readonly id: string
  /** Name of the adapter, as in the configuration. */
  readonly adapter: string
  /** Makes the model; heavy work belongs into its `ready`. @throws RefineError for a configuration that cannot be. */
  readonly create: () => LanguageModel
}

/** Where ids are looked for that the registry does not know. */
export interface FurtherModels {
  /** Undefined where there is none. */
  readonly find: (id: string) => ModelSource | undefined
  /** What can be done to have it; empty where nothing is known. */
  readonly advice: (id: string) => string
}

export class ModelRegistry {
  readonly #sources = new Map<string, ModelSource>()
  readonly #models = new Map<string, LanguageModel>()
  readonly #further: FurtherModels | undefined

  /**
   * @param further models that are made when they are named, and not before: they take no part in `ready`
   * @throws RefineError invalid_request when two sources have the same id.
   */
  constructor(sources: readonly ModelSource[], further?: FurtherModels) {
    this.#further = further
    for (const source of sources) {
      if (this.#sources.has(source.id)) {
        throw new RefineError('invalid_request', `There are two models with the id "${source.id}".`)
      }
      this.#sources.set(source.id, source)
    }
  }

  /** In the order of the configuration. */
  get ids(): readonly string[] {
    return [...this.#sources.keys()]
  }

  has(id: string): boolean {
    return this.#sources.has(id)
  }

  /** @throws RefineError unknown_model, naming the known ids. */
  get(id: string): LanguageModel {
    const known = this.#models.get(id)
    if (known !== undefined) return known
    const source = this.#sources.get(id) ?? this.#further?.find(id)
    if (source === undefined) throw this.#unknown(id)
    const model = source.create()
    this.#sources.set(id, source)
    this.#models.set(id, model)
    return model
  }

  #unknown(id: string): RefineError {
    const ids = this.ids.map((each) => `"${each}"`).join(', ')
    const advice = this.#further?.advice(id) ?? ''
    return new RefineError(
      'unknown_model',
      `There is no model "${id}". Known: ${ids || 'none'}.${advice && ` ${advice}`}`,
      { param: 'model' },
    )
  }

  list(): ModelListing[] {
    return [...this.#sources.values()].map(({ id, adapter }) => {
      const { capabilities, contextLength, price } = this.get(id)
      return { id, adapter, capabilities, context_length: contextLength ?? null, price }
    })
  }

  /** Resolves when every model can answer. @throws RefineError of the first that cannot, which is named. */
  async ready(): Promise<void> {
    await Promise.all(this.ids.map((id) => this.#ready(id)))
  }

  /** Closes every model that was made, all of them even when one fails to close. */
  async close(): Promise<void> {
    const models = [...this.#models.values()]
    this.#models.clear()
    const closed = await Promise.allSettled(models.map((model) => model.close()))
    const failed = closed.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw toRefineError(failed.reason)
  }

  async #ready(id: string): Promise<void> {
    try {
      await this.get(id).ready()
    } catch (thrown) {
      const error = toRefineError(thrown)
      if (error.message.includes(`"${id}"`)) throw error
      throw new RefineError(error.code, `Model "${id}": ${error.message}`, { cause: thrown })
    }
  }
}
