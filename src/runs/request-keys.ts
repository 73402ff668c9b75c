/** Lets a request that comes again under the same key find the run that it made the first time. */
import { RefineError } from '../core/errors.ts'
import type { RequestKey, RunStore } from '../core/run-store.ts'
import { Turns } from './turns.ts'

/** How long a key is remembered, in milliseconds. */
export const KEY_LIFETIME = 24 * 60 * 60 * 1000

/** The error for a key that comes again with another request. */
export const keyTaken = (when: string): RefineError =>
  new RefineError(
    'idempotency_mismatch',
    `The Idempotency-Key was used for another request ${when}.`,
    { param: 'idempotency-key' },
  )

export type ExpiringKey = RequestKey & { readonly expires: number }

export interface CreatedRun {
  readonly id: string
  /** Whether an earlier request made it. */
  readonly isReplay: boolean
}

export class RequestKeys {
  readonly #store: RunStore
  /** Requests of one key go one after the other. */
  readonly #turns = new Turns()

  constructor(store: RunStore) {
    this.#store = store
  }

  /**
   * The run of the key, made by `create` if there is none. Nothing is remembered when `create` fails.
   * @throws RefineError idempotency_mismatch when the key was used for another request; whatever `create` throws.
   */
  once(
    owner: string,
    key: RequestKey,
    create: (key: ExpiringKey) => Promise<string>,
  ): Promise<CreatedRun> {
    const name = JSON.stringify([owner, key.route, key.key])
    return this.#turns.take(name, () => this.#find(owner, key, create))
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
    throw keyTaken('in the last 24 hours')
  }
}
