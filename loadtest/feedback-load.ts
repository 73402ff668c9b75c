/**
 * Experiments over HTTP: runs that are exposed to an arm, units that are exposed in batches, then feedback on both in
 * batches, then whether all that was acknowledged is counted, before and after the server is killed.
 */
import { Agent, request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { probeWhile, type Probe } from './probe.ts'
import { summarise, type Summary } from './statistics.ts'
import type { Target } from './target.ts'

export interface ExperimentResult {
  readonly scenario: 'experiments'
  readonly exposures: number
  /** Whole runs of the scripted model, each exposed to an arm. */
  readonly exposures_per_second: number
  readonly run: Summary
  /** Units whose work is done elsewhere. */
  readonly units: number
  readonly units_per_second: number
  readonly rows_per_request: number
  readonly feedbacks: number
  readonly feedbacks_per_second: number
  readonly request: Summary
  /** Acknowledged and not in the results, before the server was killed and after. */
  readonly errors: number
}

/** A server that others run may have been loaded before. */
const KEY = `load-${Date.now().toString(36)}`
const EXPERIMENT = {
  key: KEY,
  status: 'running',
  arms: ['a', 'b'].map((name) => ({ name, weight: 0.5, strategy: 'single' })),
  metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
}
const CONNECTIONS = 32
/** Requests with feedback under way at a time. */
const SENDERS = 4
const ROWS = 500

type Send = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>

const sender =
  (url: URL, agent: Agent): Send =>
  async (method, path, body) => {
    const headers = { 'content-type': 'application/json' }
    const sent = request(new URL(path, url), { method, agent, headers })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const chunks = await response.toArray()
    const text = Buffer.concat(chunks as Buffer[]).toString()
    const status = response.statusCode ?? 0
    if (status >= 300) throw new Error(`${method} ${path}: status ${status}: ${text.slice(0, 300)}`)
    return JSON.parse(text)
  }

interface Timed {
  readonly latencies: readonly number[]
  readonly elapsed: number
}

/** Does the work again and again at `width` places, each for itself, until the time is over. */
const repeat = async (
  width: number,
  seconds: number,
  work: (place: number) => Promise<void>,
): Promise<Timed> => {
  const latencies: number[] = []
  const start = performance.now()
  const at = async (place: number): Promise<void> => {
    while (performance.now() - start < seconds * 1000) {
      const before = performance.now()
      await work(place)
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: width }, (_, place) => at(place)))
  return { latencies, elapsed: (performance.now() - start) / 1000 }
}

/** What the server has acknowledged: runs, and the last value of each that was reported on. */
interface Acknowledged {
  readonly runs: readonly string[]
  readonly values: ReadonlyMap<string, boolean>
}

interface Results {
  readonly arms: readonly {
    readonly exposures: number
    readonly metrics: Readonly<
      Record<string, { readonly count: number; readonly mean: number | null }>
    >
  }[]
}

/** How far the results are from what was acknowledged: exposures, values, and values that are true. */
const countLost = async (send: Send, { runs, values }: Acknowledged): Promise<number> => {
  const { arms } = (await send('GET', `/v1/experiments/${KEY}/results`)) as Results
  const sum = (of: (arm: Results['arms'][number]) => number): number =>
    arms.reduce((total, arm) => total + of(arm), 0)
  const exposures = sum((arm) => arm.exposures)
  const counts = sum(({ metrics }) => metrics['correct']!.count)
  const trues = Math.round(
    sum(({ metrics }) => metrics['correct']!.count * (metrics['correct']!.mean ?? 0)),
  )
  const expected = [...values.values()].filter(Boolean).length
  return (
    Math.abs(runs.length - exposures) + Math.abs(values.size - counts) + Math.abs(expected - trues)
  )
}

const exposeRuns = async (send: Send, seconds: number, runs: string[]): Promise<Timed> => {
  let next = 0
  return repeat(CONNECTIONS, seconds, async () => {
    const unit = `u${next++}`
    const body = {
      input: 'What is 17 times 24?',
      model: 'scripted',
      experiment: { key: KEY, unit },
    }
    runs.push(((await send('POST', '/v1/runs', body)) as { readonly id: string }).id)
  })
}

const exposeUnits = async (send: Send, seconds: number, runs: string[]): Promise<Timed> => {
  let next = 0
  return repeat(SENDERS, seconds, async () => {
    const data = Array.from({ length: ROWS }, () => ({ unit: `outside-${next++}` }))
    const reply = await send('POST', `/v1/experiments/${KEY}/exposures`, { data })
    for (const { id } of (reply as { readonly data: readonly { readonly id: string }[] }).data)
      runs.push(id)
  })
}

/** Every sender has runs of its own, so that the last value of each is known. */
const reportOn = async (
  send: Send,
  seconds: number,
  { runs, values }: Acknowledged & { readonly values: Map<string, boolean> },
): Promise<Timed> => {
  const places = Array.from({ length: SENDERS }, (_, place) => ({
    own: runs.filter((_run, index) => index % SENDERS === place),
    next: 0,
  }))
  return repeat(SENDERS, seconds, async (place) => {
    const sending = places[place]!
    const data = Array.from({ length: ROWS }, () => {
      const at = sending.next++
      const run_id = sending.own[at % sending.own.length]!
      return { run_id, metric: 'correct', value: at % 3 === 0, source: 'loadtest' }
    })
    await send('POST', '/v1/feedback', { data })
    for (const { run_id, value } of data) values.set(run_id, value)
  })
}

const perSecond = (count: number, { elapsed }: Timed): number => Math.round(count / elapsed)

const measure = async (
  send: Send,
  seconds: number,
  acknowledged: { readonly runs: string[]; readonly values: Map<string, boolean> },
) => {
  await send('POST', '/v1/experiments', EXPERIMENT)
  const exposing = await exposeRuns(send, seconds, acknowledged.runs)
  if (acknowledged.runs.length < SENDERS) throw new Error('There was no time for enough runs.')
  const gathering = await exposeUnits(send, seconds, acknowledged.runs)
  return { exposing, gathering, reporting: await reportOn(send, seconds, acknowledged) }
}

/** @throws Error when the server refuses a request */
export const loadExperiments = async (
  target: Target,
  seconds: number,
): Promise<ExperimentResult & { readonly probe: Probe }> => {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  try {
    const send = sender(target.url, agent)
    const acknowledged = { runs: [], values: new Map<string, boolean>() }
    const { result, probe } = await probeWhile(target.url, () =>
      measure(send, seconds, acknowledged),
    )
    const { exposing, gathering, reporting } = result
    const lost = await countLost(send, acknowledged)
    const again = await target.restart?.()
    const lostByKill = again && (await countLost(sender(again, agent), acknowledged))
    const [exposures, requests] = [exposing.latencies.length, reporting.latencies.length]
    const units = gathering.latencies.length * ROWS
    return {
      scenario: 'experiments',
      exposures,
      exposures_per_second: perSecond(exposures, exposing),
      run: summarise(exposing.latencies),
      units,
      units_per_second: perSecond(units, gathering),
      rows_per_request: ROWS,
      feedbacks: requests * ROWS,
      feedbacks_per_second: perSecond(requests * ROWS, reporting),
      request: summarise(reporting.latencies),
      errors: lost + (lostByKill ?? 0),
      probe,
    }
  } finally {
    agent.destroy()
  }
}
