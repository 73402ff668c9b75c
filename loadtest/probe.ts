/** How busy both ends are while the load is on. */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { summarise, type Summary } from './statistics.ts'

const INTERVAL_MS = 50
const RESOLUTION_MS = 10

export interface Probe {
  /** Time a request for `/healthz` took, made every 50 ms: how long the server's event loop kept others waiting. */
  readonly health: Summary
  readonly healthErrors: number
  /** Delay of this process's own event loop: above some milliseconds, the client is the bottleneck. */
  readonly clientDelay: { readonly p50: number; readonly p99: number; readonly max: number }
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
const milliseconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)

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
  delay.enable()
  const watching = watch()
  try {
    const result = await work()
    delay.disable()
    const clientDelay = {
      p50: milliseconds(delay.percentile(50)),
      p99: milliseconds(delay.percentile(99)),
      max: milliseconds(delay.max),
    }
    done.abort()
    await watching
    return { result, probe: { health: summarise(latencies), healthErrors, clientDelay } }
  } finally {
    done.abort()
    agent.destroy()
  }
}
