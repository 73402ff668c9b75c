/** How busy both ends are while the load is on. */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { summarise, type Summary } from './statistics.ts'

const INTERVAL_MS = 50
/** Of the histograms of event loop delay. */
export const RESOLUTION_MS = 10

/** What the server says of itself. */
export interface ServerProbe {
  /** Delay of its event loop, in milliseconds: of the worst second of the scenario. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Resident memory before the load, and the most that was seen under it, in bytes. */
  readonly memoryBefore: number
  readonly memoryMost: number
  /** Processor time of all its threads, in seconds; undefined where it does not tell. */
  readonly cpu: number | undefined
}

export interface Probe {
  /** Time a request for `/healthz` took, made every 50 ms: how long the server's event loop kept others waiting. */
  readonly health: Summary
  readonly healthErrors: number
  /** Delay of this process's own event loop: above some milliseconds, the client is the bottleneck. */
  readonly clientDelay: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Processor time of this process, in seconds. */
  readonly clientCpu: number
  /** How long all that took, in seconds. */
  readonly elapsed: number
  /** Undefined where the server has no `/metrics`. */
  readonly server: ServerProbe | undefined
}

const askHealth = async (url: URL, agent: Agent): Promise<number> => {
  const start = performance.now()
  const [response] = (await once(get(new URL('/healthz', url), { agent }), 'response')) as [
    IncomingMessage,
  ]
  response.resume()
  await once(response, 'end')
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
  return performance.now() - start
}

/** Node's histogram holds the whole interval between two ticks of its timer: the delay is what exceeds it. */
export const milliseconds = (nanoseconds: number): number =>
  Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)

const METRIC = /^(\w+)(?:\{quantile="([\d.]+)"\})? ([\d.e+-]+)$/gm

/** The server's metrics by name and quantile; undefined where it has none. */
const readMetrics = async (url: URL): Promise<ReadonlyMap<string, number> | undefined> => {
  const reply = await fetch(new URL('/metrics', url)).catch(() => undefined)
  const text = await reply?.text()
  if (reply?.ok !== true || text === undefined) return undefined
  const found = [...text.matchAll(METRIC)]
  if (found.length === 0) return undefined
  return new Map(
    found.map(([, name, quantile = '', value]) => [`${name}${quantile}`, Number(value)]),
  )
}

const DELAY = 'whetstone_event_loop_delay_seconds'
const MEMORY = 'process_resident_memory_bytes'
const CPU = 'process_cpu_seconds_total'
const MEMORY_INTERVAL_MS = 1000

/** Watches the server from now on; the function it gives ends that. Reading the metrics starts their delay anew. */
const watchServer = async (url: URL): Promise<() => Promise<ServerProbe | undefined>> => {
  const before = await readMetrics(url)
  if (before === undefined) return async () => undefined
  const memoryBefore = before.get(MEMORY) ?? 0
  const cpuBefore = before.get(CPU)
  const readings: ReadonlyMap<string, number>[] = []
  const read = async (): Promise<void> => {
    const reading = await readMetrics(url)
    if (reading !== undefined) readings.push(reading)
  }
  const timer = setInterval(() => void read(), MEMORY_INTERVAL_MS)
  return async () => {
    clearInterval(timer)
    await read()
    const most = (name: string): number =>
      Math.max(...readings.map((reading) => reading.get(name) ?? 0))
    const delay = (quantile: string): number => most(`${DELAY}${quantile}`) * 1000
    return {
      delay: { p50: delay('0.5'), p99: delay('0.99'), max: delay('1') },
      memoryBefore,
      memoryMost: Math.max(memoryBefore, most(MEMORY)),
      cpu: cpuBefore === undefined ? undefined : most(CPU) - cpuBefore,
    }
  }
}

/** Runs the work and watches both ends until it is done. */
export const probeWhile = async <Result>(
  url: URL,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly probe: Probe }> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const done = new AbortController()
  const latencies: number[] = []
  let healthErrors = 0
  const watch = async (): Promise<void> => {
    while (!done.signal.aborted) {
      await askHealth(url, agent).then(
        (latency) => latencies.push(latency),
        () => healthErrors++,
      )
      await wait(INTERVAL_MS, undefined, { signal: done.signal }).catch(() => undefined)
    }
  }
  const endWatch = await watchServer(url)
  delay.enable()
  const watching = watch()
  const [start, cpuStart] = [performance.now(), process.cpuUsage()]
  try {
    const result = await work()
    const { user, system } = process.cpuUsage(cpuStart)
    const spent = { clientCpu: (user + system) / 1e6, elapsed: (performance.now() - start) / 1000 }
    delay.disable()
    const clientDelay = {
      p50: milliseconds(delay.percentile(50)),
      p99: milliseconds(delay.percentile(99)),
      max: milliseconds(delay.max),
    }
    done.abort()
    await watching
    const server = await endWatch()
    const seen = { health: summarise(latencies), healthErrors, clientDelay, server }
    return { result, probe: { ...seen, ...spent } }
  } finally {
    done.abort()
    agent.destroy()
  }
}
