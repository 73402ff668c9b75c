/** `npm run loadtest -- [--scenario NAME] [--url http://127.0.0.1:8080] [--streams 200] [--seconds 10] [--burst 4] [--json FILE] [--profile FOLDER]` */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { loadExperiments } from './feedback-load.ts'
import { probeWhile } from './probe.ts'
import { reportTable, type ScenarioReport } from './report.ts'
import {
  loadJson,
  loadSockets,
  loadStreams,
  type JsonResult,
  type Load,
  type StreamResult,
} from './scenarios.ts'
import { runningServer, startServer, type Target } from './target.ts'

const MAX_STREAMS = 2000
const MAX_SECONDS = 300
const MAX_BURST = 10

const readCount = (name: string, text: string, maximum: number): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > maximum)
    throw new Error(`--${name} must be a whole number from 1 to ${maximum}, not ${text}`)
  return value
}

const readArguments = () => {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      scenario: { type: 'string', multiple: true, default: ['json', 'sse', 'websocket'] },
      streams: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      burst: { type: 'string', default: '4' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  })
  return {
    ...values,
    streams: readCount('streams', values.streams, MAX_STREAMS),
    seconds: readCount('seconds', values.seconds, MAX_SECONDS),
    burst: readCount('burst', values.burst, MAX_BURST),
  }
}

type Scenario = (target: Target, load: Load) => Promise<ScenarioReport>

const probed =
  (scenario: (url: URL, load: Load) => Promise<JsonResult | StreamResult>): Scenario =>
  async ({ url }, load) => {
    const { result, probe } = await probeWhile(url, () => scenario(url, load))
    return { ...result, probe }
  }

const SCENARIOS: ReadonlyMap<string, Scenario> = new Map<string, Scenario>([
  ['json', probed(loadJson)],
  ['sse', probed(loadStreams)],
  ['websocket', probed(loadSockets)],
  ['experiments', (target, { seconds }) => loadExperiments(target, seconds)],
])

const scenarioOf = (name: string): Scenario => {
  const scenario = SCENARIOS.get(name)
  if (scenario !== undefined) return scenario
  throw new Error(`--scenario must be one of ${[...SCENARIOS.keys()].join(', ')}, not ${name}`)
}

const runAll = async (
  target: Target,
  scenarios: readonly Scenario[],
  load: Load,
): Promise<ScenarioReport[]> => {
  const reports: ScenarioReport[] = []
  for (const scenario of scenarios) reports.push(await scenario(target, load))
  return reports
}

const main = async (): Promise<void> => {
  const { url, scenario, streams, seconds, burst, json, profile } = readArguments()
  const scenarios = scenario.map(scenarioOf)
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const target = url === undefined ? await startServer(burst, flags) : await runningServer(url)
  try {
    const load = { streams, seconds, burst, model: target.model }
    const reports = await runAll(target, scenarios, load)
    process.stdout.write(reportTable(reports))
    const setting = { node: process.version, platform: process.platform, ...load }
    if (json !== undefined)
      await writeFile(json, `${JSON.stringify({ ...setting, scenarios: reports }, null, 2)}\n`)
    if (reports.some(({ errors }) => errors > 0)) process.exitCode = 1
  } finally {
    await target.stop()
  }
}

await main().catch((thrown: unknown) => {
  process.stderr.write(`loadtest: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 2
})
