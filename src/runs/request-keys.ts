/** Lets a request that comes again under the same key find the run that it made the first time. */
import { RefineError } from '../core/errors.ts'
import type { RequestKey, RunStore } from '../core/run-store.ts'

/** How long a key is remembered, in milliseconds. */
export const KEY_LIFETIME = 24 * 60 * 60 * 1000

export type ExpiringKey = RequestKey & { readonly expires: number }

export interface CreatedRun {
  readonly id: string
  /** Whether an earlier request made it. */
  readonly isReplay: boolean
}

export class RequestKeys {
  readonly #store: RunStore
  /** Requests under way by key: those of one key go one after the other. */
  readonly #pending = new Map<string, Promise<CreatedRun>>()

  constructor(store: RunStore) {
    this.#store = store
  }

  /**
   * The run of the key, made by `create` if there is none. Nothing is remembered when `create` fails.
   * @throws RefineError idempotency_mismatch when the key was used for another request; whatever `create` throws.
   */
  async once(
    owner: string,
    key: RequestKey,
    create: (key: ExpiringKey) => Promise<string>,
  ): Promise<CreatedRun> {
    const name = JSON.stringify([owner, key.route, key.key])
    const before = this.#pending.get(name) ?? Promise.resolve()
    const mine = before.catch(() => undefined).then(() => this.#find(owner, key, create))
    this.#pending.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#pending.get(name) === mine) this.#pending.delete(name)
    }
  }

  async #find(
    owner: string,
    key: RequestKey,
    create: (key: ExpiringKey) => Promise<string>,
  ): Promise<CreatedRun> {
    const now = Date.now()
    const found = await this.#store.keyed(owner, key, now)
    if (found === undefined) {
      const id = await create({ ...key, expires: now + KEY_LIFETIME })
      return { id, isReplay: false }
    }
    if (found.fingerprint === key.fingerprint) return { id: found.runId, isReplay: true }
    throw new RefineError(
      'idempotency_mismatch',
      'The Idempotency-Key was used for another request in the last 24 hours.',
      { param: 'idempotency-key' },
    )
  }
}
