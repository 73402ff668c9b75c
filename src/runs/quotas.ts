/** What one API key may use: requests and tokens by time, runs at once. Kept in memory, by token buckets. */
import { RefineError } from '../core/errors.ts'

export interface Rate {
  readonly quota: number
  readonly windowSeconds: number
}

/** What is left out is not limited. */
export interface QuotaLimits {
  /** Runs begun. */
  readonly requests?: Rate
  /** Input and output tokens of all models; counted when a run ends, so that the last run may overdraw. */
  readonly tokens?: Rate
  readonly concurrentRuns?: number
}

export interface PolicyStatus {
  readonly name: 'requests' | 'tokens' | 'concurrent-runs'
  readonly quota: number
  /** Undefined for what is not measured by time. */
  readonly windowSeconds: number | undefined
  readonly remaining: number
  /** Seconds until the whole quota is there again, if nothing is used. */
  readonly resetSeconds: number
}

/** Fills evenly, up to the quota; may be overdrawn. */
class Bucket {
  readonly rate: Rate
  #level: number
  #at: number

  constructor(rate: Rate, now: number) {
    this.rate = rate
    this.#level = rate.quota
    this.#at = now
  }

  level(now: number): number {
    const perSecond = this.rate.quota / this.rate.windowSeconds
    this.#level = Math.min(this.rate.quota, this.#level + (now - this.#at) * perSecond)
    this.#at = now
    return this.#level
  }

  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount
  }

  /** Seconds until the level is reached. */
  until(level: number, now: number): number {
    const missing = level - this.level(now)
    return Math.max(0, (missing * this.rate.windowSeconds) / this.rate.quota)
  }
}

interface Account {
  readonly limits: QuotaLimits
  readonly requests: Bucket | undefined
  readonly tokens: Bucket | undefined
  running: number
}

const refuse = (what: string, retryAfter: number): RefineError =>
  new RefineError('rate_limited', `The key has used up its ${what}.`, {
    retryAfter: Math.max(1, Math.ceil(retryAfter)),
  })

/** When a place is likely to be free again: nobody knows, so it is a guess. */
const BUSY_SECONDS = 1

export class Quotas {
  readonly #limitsOf: (owner: string) => QuotaLimits
  readonly #clock: () => number
  readonly #accounts = new Map<string, Account>()

  /** `clock` gives seconds and may start anywhere. Owners are API keys, so there are few. */
  constructor(
    limitsOf: (owner: string) => QuotaLimits,
    clock: () => number = () => performance.now() / 1000,
  ) {
    this.#limitsOf = limitsOf
    this.#clock = clock
  }

  /**
   * Counts a run in. Returns what counts it out, with the tokens it took, or undefined where it was not begun after all;
   * to be called once.
   * @throws RefineError rate_limited, with the time after which it may be tried again.
   */
  enter(owner: string): (tokens: number | undefined) => void {
    const account = this.#account(owner)
    const now = this.#clock()
    const { requests, tokens, limits } = account
    if (requests !== undefined && requests.level(now) < 1) {
      throw refuse('requests', requests.until(1, now))
    }
    if (tokens !== undefined && tokens.level(now) <= 0) {
      throw refuse('tokens', tokens.until(1, now))
    }
    if (account.running >= (limits.concurrentRuns ?? Infinity)) {
      throw refuse('concurrent runs', BUSY_SECONDS)
    }
    requests?.take(1, now)
    account.running++
    return (spent) => {
      account.running--
      if (spent === undefined) requests?.take(-1, this.#clock())
      else tokens?.take(spent, this.#clock())
    }
  }

  status(owner: string): readonly PolicyStatus[] {
    const { requests, tokens, limits, running } = this.#account(owner)
    const now = this.#clock()
    const timed = (name: PolicyStatus['name'], bucket: Bucket | undefined): PolicyStatus[] =>
      bucket === undefined
        ? []
        : [
            {
              name,
              quota: bucket.rate.quota,
              windowSeconds: bucket.rate.windowSeconds,
              remaining: Math.max(0, Math.floor(bucket.level(now))),
              resetSeconds: Math.ceil(bucket.until(bucket.rate.quota, now)),
            },
          ]
    const { concurrentRuns: quota } = limits
    const atOnce: PolicyStatus[] =
      quota === undefined
        ? []
        : [
            {
              name: 'concurrent-runs',
              quota,
              windowSeconds: undefined,
              remaining: Math.max(0, quota - running),
              resetSeconds: running === 0 ? 0 : BUSY_SECONDS,
            },
          ]
    return [...timed('requests', requests), ...timed('tokens', tokens), ...atOnce]
  }

  #account(owner: string): Account {
    const known = this.#accounts.get(owner)
    if (known !== undefined) return known
    const limits = this.#limitsOf(owner)
    const bucket = (rate: Rate | undefined): Bucket | undefined =>
      rate === undefined ? undefined : new Bucket(rate, this.#clock())
    const { requests, tokens } = limits
    const account = { limits, requests: bucket(requests), tokens: bucket(tokens), running: 0 }
    this.#accounts.set(owner, account)
    return account
  }
}
