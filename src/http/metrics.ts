/** What the server is doing, in numbers for Prometheus. */
import type { ServerResponse } from 'node:http'
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { RunState } from '../core/run-state.ts'
import type { RunService } from '../runs/run-service.ts'

const RESOLUTION_MS = 10
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

const named = (name: string, help: string) => ({ name: `whetstone_${name}`, help })

/** The histogram holds the whole interval between two ticks of its timer: the delay is what exceeds it. */
const delaySeconds = (nanoseconds: number): number =>
  Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3)

export class Metrics {
  readonly #registry = new Registry()
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #runs: Counter<'status' | 'strategy'>
  readonly #tokens: Counter<'direction'>
  readonly #calls: Counter
  readonly #firstText: Histogram
  readonly #runSeconds: Histogram
  readonly #streams: Gauge
  readonly #sockets: Gauge

  constructor(runs: RunService) {
    const registers = [this.#registry]
    this.#runs = new Counter({
      ...named('runs_total', 'Runs that have ended.'),
      labelNames: ['status', 'strategy'],
      registers,
    })
    this.#tokens = new Counter({
      ...named('tokens_total', 'Tokens of all models, of runs that have ended.'),
      labelNames: ['direction'],
      registers,
    })
    this.#calls = new Counter({ ...named('model_calls_total', 'Model calls.'), registers })
    this.#firstText = new Histogram({
      ...named('first_text_seconds', 'From the creation of a run to its first text.'),
      buckets: SECONDS,
      registers,
    })
    this.#runSeconds = new Histogram({
      ...named('run_seconds', 'How long runs took.'),
      buckets: SECONDS,
      registers,
    })
    this.#streams = new Gauge({ ...named('open_streams', 'Open event streams.'), registers })
    this.#sockets = new Gauge({ ...named('open_sockets', 'Open WebSockets.'), registers })
    this.#watchLoad(runs)
    this.#watchStore(runs)
    this.#watchProcess()
    runs.observe({ ended: (state, firstText) => this.#count(state, firstText) })
    this.#delay.enable()
  }

  /** Of a caller who has left already there is nothing to count, nor would its end ever be heard of. */
  countStream(raw: ServerResponse): void {
    if (raw.closed) return
    this.#streams.inc()
    raw.once('close', () => this.#streams.dec())
  }

  socketOpened(): void {
    this.#sockets.inc()
  }

  socketClosed(): void {
    this.#sockets.dec()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The event-loop delay is that since the last call. */
  async text(): Promise<string> {
    const text = await this.#registry.metrics()
    this.#delay.reset()
    return text
  }

  close(): void {
    this.#delay.disable()
  }

  #count(state: RunState, firstText: number | undefined): void {
    const { status, strategy, usage, created_at: from, ended_at: to } = state
    this.#runs.inc({ status, strategy })
    this.#tokens.inc({ direction: 'input' }, usage.input_tokens)
    this.#tokens.inc({ direction: 'output' }, usage.output_tokens)
    this.#calls.inc(usage.calls)
    if (firstText !== undefined) this.#firstText.observe(firstText)
    if (to !== null) this.#runSeconds.observe(Math.max(0, Date.parse(to) - Date.parse(from)) / 1000)
  }

  #watchLoad(runs: RunService): void {
    const load = new Gauge({
      ...named('runs_now', 'Runs that go on or wait for their turn.'),
      labelNames: ['status'],
      registers: [this.#registry],
      collect: () => {
        const { running, waiting } = runs.load()
        load.set({ status: 'running' }, running)
        load.set({ status: 'queued' }, waiting)
      },
    })
  }

  #watchStore(runs: RunService): void {
    const registers = [this.#registry]
    const waiting: Gauge = new Gauge({
      ...named('events_unstored', 'Events that wait for the store.'),
      registers,
      collect: () => waiting.set(runs.load().unstored),
    })
    const counter = (name: string, help: string, read: () => number): void => {
      const total: Counter = new Counter({
        ...named(name, help),
        registers,
        collect: () => {
          total.reset()
          total.inc(read())
        },
      })
    }
    const retried = 'How often a store that did not answer was asked again.'
    counter('store_retries_total', retried, () => runs.load().storeRetries)
    const lost = 'Events of runs that the store never took.'
    counter('events_lost_total', lost, () => runs.load().lostEvents)
  }

  #watchProcess(): void {
    const registers = [this.#registry]
    const delay = new Gauge({
      ...named('event_loop_delay_seconds', 'Delay of the event loop since the last reading.'),
      labelNames: ['quantile'],
      registers,
      collect: () => {
        delay.set({ quantile: '0.5' }, delaySeconds(this.#delay.percentile(50)))
        delay.set({ quantile: '0.99' }, delaySeconds(this.#delay.percentile(99)))
        delay.set({ quantile: '1' }, delaySeconds(this.#delay.max))
      },
    })
    const cpu: Counter = new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of all threads in seconds.',
      registers,
      collect: () => {
        const { user, system } = process.cpuUsage()
        cpu.reset()
        cpu.inc((user + system) / 1e6)
      },
    })
    const memory: Gauge = new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory size in bytes.',
      registers,
      collect: () => memory.set(process.memoryUsage.rss()),
    })
  }
}
