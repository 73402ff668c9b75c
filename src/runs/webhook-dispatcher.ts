/**
 * Delivers what the store holds for addresses outside, each until it arrives or the schedule ends. All that has to be
 * known is in the store: after a restart it goes on. A message may arrive twice, under the same id, when the process dies
 * between its arrival and the note of it.
 */
import { randomBytes } from 'node:crypto'
import { invalidField } from '../core/errors.ts'
import type { Delivery, DeliveryStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import { traceHeaders, type TraceContext } from '../core/trace.ts'
import { orAbort } from './or-abort.ts'
import { signWebhook, type Webhook } from './webhook.ts'
import { checkWebhookUrl, postWebhook, type PostWebhook } from './webhook-request.ts'

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000]

/** Milliseconds before each try, from the one before it on: the schedule that Standard Webhooks gives. */
const DELAYS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]
const MOST_AT_ONCE = 16
const TIMEOUT = 15 * SECOND
const LONGEST_SLEEP = HOUR
/** Before a store that failed is asked again. */
const STORE_PAUSE = MINUTE
const GONE = 410

export interface WebhookOptions {
  readonly store: DeliveryStore
  /** Without any, requests for webhooks are refused. */
  readonly secrets: readonly Buffer[]
  readonly allowPrivate: boolean
  readonly log: Log
  readonly delays?: readonly number[]
  readonly post?: PostWebhook
}

export class WebhookDispatcher {
  readonly #options: WebhookOptions
  readonly #delays: readonly number[]
  readonly #post: PostWebhook
  readonly #active = new Map<string, Promise<void>>()
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #isDirty = false

  constructor(options: WebhookOptions) {
    this.#options = options
    this.#delays = options.delays ?? DELAYS
    this.#post = options.post ?? postWebhook(options.allowPrivate)
  }

  /** @throws RefineError invalid_request when nothing can be delivered there. */
  async check({ url }: Webhook, owner: string): Promise<void> {
    const { secrets, allowPrivate, store } = this.#options
    if (secrets.length === 0) {
      throw invalidField('/webhook', 'needs a signing secret in the server’s configuration')
    }
    checkWebhookUrl(url, allowPrivate)
    if (await store.isDisabled(owner, url)) {
      throw invalidField('/webhook/url', 'has answered 410 Gone: it wants no more')
    }
  }

  /** There may be something to deliver. */
  wake(): void {
    if (this.#options.secrets.length === 0) return // a message that nobody could trust
    this.#isDirty = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      // Woken behind the last look, before it went to sleep.
      if (this.#isDirty && !this.#closing.signal.aborted) this.wake()
    })
  }

  /** Gives up what is under way; it is tried again by the next process. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort()
    await this.#looking
    await Promise.all(this.#active.values())
  }

  async #look(): Promise<void> {
    const { store, log } = this.#options
    let looked = Date.now()
    try {
      while (this.#isDirty && !this.#closing.signal.aborted) {
        this.#isDirty = false
        looked = Date.now()
        const due = await store.due(looked, MOST_AT_ONCE + this.#active.size)
        const fresh = due.filter(({ id }) => !this.#active.has(id))
        for (const delivery of fresh.slice(0, MOST_AT_ONCE - this.#active.size))
          this.#start(delivery)
      }
      await this.#sleep(looked)
    } catch (cause) {
      log.error({ err: cause }, 'webhooks could not be looked up')
      this.#wakeIn(STORE_PAUSE)
    }
  }

  /** Until the first message that was not due yet when the store was last looked at. */
  async #sleep(looked: number): Promise<void> {
    clearTimeout(this.#timer)
    const next = await this.#options.store.nextDue(looked)
    if (next !== undefined) this.#wakeIn(Math.min(Math.max(0, next - Date.now()), LONGEST_SLEEP))
  }

  #wakeIn(milliseconds: number): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    this.#timer = setTimeout(() => this.wake(), milliseconds)
    this.#timer.unref()
  }

  #start(delivery: Delivery): void {
    const work = this.#deliver(delivery)
      .catch((cause: unknown) => {
        const details = { err: cause, webhook: delivery.id }
        this.#options.log.error(details, 'a webhook could not be noted')
        // What is not noted is due at once: without a pause it would be sent again and again.
        const rest = new Promise<void>((resolve) => setTimeout(resolve, STORE_PAUSE).unref())
        return orAbort(rest, this.#closing.signal).catch(() => undefined)
      })
      .then(() => {
        this.#active.delete(delivery.id)
        if (!this.#closing.signal.aborted) this.wake()
      })
    this.#active.set(delivery.id, work)
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { store, log } = this.#options
    const outcome = await this.#attempt(delivery)
    if (this.#closing.signal.aborted && typeof outcome !== 'number') return
    const details = { webhook: delivery.id, run_id: delivery.run_id, outcome }
    if (typeof outcome === 'number' && outcome >= 200 && outcome < 300) {
      return store.settle(delivery.id)
    }
    if (outcome === GONE) {
      log.warn(details, 'an address wants no more webhooks')
      return store.disable(delivery.owner, delivery.url)
    }
    const attempts = delivery.attempts + 1
    const delay = this.#delays[attempts]
    if (delay === undefined) {
      log.warn(details, 'a webhook was given up')
      return store.settle(delivery.id)
    }
    log.info(details, 'a webhook did not arrive and is tried again')
    // A little later, differently for each: what failed together must not come back together.
    await store.retryLater(delivery.id, attempts, Date.now() + delay * (1 + 0.1 * Math.random()))
  }

  /** The status, or what went wrong. */
  async #attempt({ id, url, body, trace }: Delivery): Promise<number | string> {
    const timestamp = Math.floor(Date.now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'whetstone',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook(this.#options.secrets, id, timestamp, body),
      ...(trace && traceHeaders(JSON.parse(trace) as TraceContext, randomBytes(8).toString('hex'))),
    }
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT)])
    return this.#post(url, headers, body, signal).catch((cause: unknown) =>
      cause instanceof Error ? cause.message : String(cause),
    )
  }
}
