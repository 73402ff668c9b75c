/** The loads: whole answers as JSON, streams over server-sent events, and many runs on few sockets. */
import { setMaxListeners } from 'node:events'
import { Agent } from 'node:http'
import autocannon from 'autocannon'
import { SocketClient } from './socket-client.ts'
import { streamRun } from './stream-client.ts'
import type { RunTiming } from './run-watch.ts'
import { summarise, type Summary } from './statistics.ts'

export interface Load {
  /** Streams open at the same time. */
  readonly streams: number
  /** How long new runs are started; those open then get the same time again to end. */
  readonly seconds: number
  /** Of the streams; `scripted` if absent. */
  readonly model?: string
  /** Events that come at one moment: samples of a stream's run that write at once. */
  readonly burst: number
}

export interface JsonResult {
  readonly scenario: 'json'
  readonly connections: number
  readonly requests_per_second: number
  readonly latency: Summary
  readonly errors: number
}

export interface StreamResult {
  readonly scenario: 'sse' | 'websocket'
  readonly streams: number
  readonly burst: number
  /** What was sent to start each stream. */
  readonly run: object
  readonly runs: number
  readonly runs_per_second: number
  /** While all streams were open. */
  readonly events_per_second: number
  /** From the making of an event to its arrival. */
  readonly event_delay: Summary
  readonly first_event: Summary
  readonly first_revision: Summary
  readonly end: Summary
  readonly errors: number
  /** Each kind of error with how often it came, at most ten kinds. */
  readonly error_kinds: Readonly<Record<string, number>>
}

const RUN = { model: 'scripted', strategy: 'single', input: 'What is 17 times 24?' }

const streamRunOf = ({ model = RUN.model, burst }: Load) => ({
  ...RUN,
  model,
  ...(burst > 1 && { strategy: 'best-of-n', options: { n: burst } }),
})

/** More connections than this measure the client, not the server. */
const MAX_CONNECTIONS = 100

export const loadJson = async (
  url: URL,
  { streams, seconds }: Pick<Load, 'streams' | 'seconds'>,
): Promise<JsonResult> => {
  const connections = Math.min(streams, MAX_CONNECTIONS)
  const result = await autocannon({
    url: new URL('/v1/runs', url).href,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(RUN),
    connections,
    duration: seconds,
  })
  const { p50, p90, p99, max } = result.latency
  const isEmpty = result.requests.total === 0
  return {
    scenario: 'json',
    connections,
    requests_per_second: result.requests.average,
    latency: isEmpty ? summarise([]) : { count: result.requests.total, p50, p90, p99, max },
    errors: result.errors + result.non2xx,
  }
}

const present = (values: readonly (number | undefined)[]): number[] =>
  values.filter((value) => value !== undefined)

const countKinds = (timings: readonly RunTiming[]): Record<string, number> => {
  const kinds = new Map<string, number>()
  for (const { error } of timings)
    if (error !== undefined) kinds.set(error, (kinds.get(error) ?? 0) + 1)
  return Object.fromEntries([...kinds].toSorted(([, left], [, right]) => right - left).slice(0, 10))
}

/** Events that came while all streams were open, per second: those of a crowd that gathers or leaves say nothing. */
export const fullRate = (
  timings: readonly Pick<RunTiming, 'arrivals'>[],
  { from, to }: Window,
): number => {
  const isFull = (at: number): boolean => at >= from && at < to
  const count = timings.reduce((sum, { arrivals }) => sum + arrivals.filter(isFull).length, 0)
  return count / ((to - from) / 1000)
}

const describeStreams = (
  scenario: StreamResult['scenario'],
  load: Load,
  { timings, elapsed, full }: Kept,
): StreamResult => ({
  scenario,
  streams: load.streams,
  burst: load.burst,
  run: streamRunOf(load),
  runs: timings.length,
  runs_per_second: timings.length / elapsed,
  events_per_second: fullRate(timings, full),
  event_delay: summarise(timings.flatMap(({ delays }) => delays)),
  first_event: summarise(present(timings.map(({ firstEvent }) => firstEvent))),
  first_revision: summarise(present(timings.map(({ firstRevision }) => firstRevision))),
  end: summarise(present(timings.map(({ end }) => end))),
  errors: timings.filter(({ error }) => error !== undefined).length,
  error_kinds: countKinds(timings),
})

const FAILURE_PAUSE_MS = 50

const GRACE_SECONDS = 10

/** Over so long the streams are opened, at most half of the time: a crowd does not arrive in one millisecond. */
const RAMP_MS = 4000

/** On the clock of `performance`. */
interface Window {
  readonly from: number
  readonly to: number
}

interface Kept {
  readonly timings: RunTiming[]
  /** Seconds. */
  readonly elapsed: number
  /** When all streams were open. */
  readonly full: Window
}

/** Keeps `streams` runs open, one after the other in each place, until the time is over. */
const keepOpen = async (
  { streams, seconds }: Pick<Load, 'streams' | 'seconds'>,
  run: (place: number, signal: AbortSignal) => Promise<RunTiming>,
): Promise<Kept> => {
  const start = performance.now()
  const ramp = Math.min(RAMP_MS, seconds * 500)
  const full = { from: start + ramp, to: start + seconds * 1000 }
  // Runs that are under way when the time is over may still end.
  const signal = AbortSignal.timeout((seconds + GRACE_SECONDS) * 1000)
  // One listener per open stream is what is wanted here, not a leak.
  setMaxListeners(0, signal)
  const timings: RunTiming[] = []
  const place = async (index: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, (index / streams) * ramp))
    while (performance.now() - start < seconds * 1000) {
      const timing = await run(index, signal)
      timings.push(timing)
      // A server that refuses at once must not be asked in a tight loop.
      if (timing.error !== undefined)
        await new Promise((resolve) => setTimeout(resolve, FAILURE_PAUSE_MS))
    }
  }
  await Promise.all(Array.from({ length: streams }, (_, index) => place(index)))
  return { timings, elapsed: (performance.now() - start) / 1000, full }
}

export const loadStreams = async (url: URL, load: Load): Promise<StreamResult> => {
  const agent = new Agent({ keepAlive: true, maxSockets: load.streams })
  try {
    const kept = await keepOpen(load, (_place, signal) =>
      streamRun(url, streamRunOf(load), agent, signal),
    )
    return describeStreams('sse', load, kept)
  } finally {
    agent.destroy()
  }
}

/** Runs that share one socket: as many as a server lets one have. */
const RUNS_PER_SOCKET = 16

export const loadSockets = async (url: URL, load: Load): Promise<StreamResult> => {
  const signal = AbortSignal.timeout(10_000)
  setMaxListeners(0, signal)
  const count = Math.ceil(load.streams / RUNS_PER_SOCKET)
  const opened = await Promise.allSettled(
    Array.from({ length: count }, () => SocketClient.connect(url, signal)),
  )
  const sockets = opened.flatMap((entry) => (entry.status === 'fulfilled' ? [entry.value] : []))
  try {
    const failed = opened.find((entry) => entry.status === 'rejected')
    if (failed !== undefined)
      throw new Error('A socket could not be opened.', { cause: failed.reason })
    const kept = await keepOpen(load, (place, ends) =>
      sockets[place % count]!.run(streamRunOf(load), ends),
    )
    return describeStreams('websocket', load, kept)
  } finally {
    for (const socket of sockets) socket.close()
  }
}
