/** The budget of a run: limits on calls, tokens, seconds and money, spent before each call and settled after it. */
import { Type, type Static } from 'typebox'

/** Longest time that a budget or a deadline may give a run, in seconds. */
export const LONGEST_SECONDS = 86_400

export const Budget = Type.Object(
  {
    calls: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description: 'Model calls; a sample counts as one.',
      }),
    ),
    tokens: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000_000,
        description: 'Input and output tokens of all calls together.',
      }),
    ),
    seconds: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: LONGEST_SECONDS,
        description: 'Wall-clock time from the start of the run.',
      }),
    ),
    cost: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1_000_000,
        description: 'Money, in the currency of the model prices.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Limits on the whole run. What is left out is not limited.',
  },
)
export type Budget = Static<typeof Budget>

export type BudgetUnit = 'calls' | 'tokens' | 'seconds' | 'cost'

/** An amount in every unit but time, which nobody spends by asking. */
export interface Amount {
  readonly calls: number
  readonly tokens: number
  readonly cost: number
}

/** Spent in every unit; `left` holds `null` where there is no limit. */
export interface BudgetStatus {
  readonly spent: Readonly<Record<BudgetUnit, number>>
  readonly left: Readonly<Record<BudgetUnit, number | null>>
}

/** Thrown when a call would break the budget. Not an error: the run ends with stop reason `budget`. */
export class BudgetSpent extends Error {
  override readonly name = 'BudgetSpent'
  readonly unit: BudgetUnit

  constructor(unit: BudgetUnit) {
    super(`The budget of ${unit} is spent.`)
    this.unit = unit
  }
}

/** An amount set aside for a call that is under way. */
export interface Reservation {
  /** Replaces the reserved amount by what the call really took. Later calls have no effect. */
  settle(actual: Amount): void
}

const UNITS = ['calls', 'tokens', 'cost'] as const

/** Keeps the account of one run. `clock` gives seconds and may start anywhere. */
export class BudgetLedger {
  #limits: Budget
  readonly #clock: () => number
  readonly #start: number
  readonly #spent = { calls: 0, tokens: 0, cost: 0 }
  readonly #reserved = { calls: 0, tokens: 0, cost: 0 }

  constructor(limits: Budget, clock: () => number) {
    this.#limits = limits
    this.#clock = clock
    this.#start = clock()
  }

  get limits(): Budget {
    return this.#limits
  }

  /** Sets new limits, unit by unit. What is spent or reserved stays so, even above them: only later calls are refused. */
  change(limits: Budget): void {
    this.#limits = { ...this.#limits, ...limits }
  }

  /** What may still be reserved, `Infinity` where there is no limit. */
  remaining(unit: BudgetUnit): number {
    const limit = this.#limits[unit]
    if (limit === undefined) return Infinity
    if (unit === 'seconds') return Math.max(0, limit - this.seconds())
    return Math.max(0, limit - this.#spent[unit] - this.#reserved[unit])
  }

  /** Seconds since the run started. */
  seconds(): number {
    return this.#clock() - this.#start
  }

  /**
   * Sets an amount aside before a call.
   * @throws BudgetSpent when any unit does not suffice; nothing is reserved then.
   */
  reserve(amount: Amount): Reservation {
    for (const unit of UNITS) if (amount[unit] > this.remaining(unit)) throw new BudgetSpent(unit)
    if (this.remaining('seconds') <= 0) throw new BudgetSpent('seconds')
    for (const unit of UNITS) this.#reserved[unit] += amount[unit]
    let open = true
    return {
      settle: (actual) => {
        if (!open) return
        open = false
        for (const unit of UNITS) {
          this.#reserved[unit] -= amount[unit]
          this.#spent[unit] += actual[unit]
        }
      },
    }
  }

  status(): BudgetStatus {
    const left = (unit: BudgetUnit): number | null => {
      const remaining = this.remaining(unit)
      return remaining === Infinity ? null : remaining
    }
    return {
      spent: { ...this.#spent, seconds: this.seconds() },
      left: {
        calls: left('calls'),
        tokens: left('tokens'),
        seconds: left('seconds'),
        cost: left('cost'),
      },
    }
  }
}
