/** `npm run loadtest -- [--url http://127.0.0.1:8080] [--streams 200] [--seconds 10] [--json FILE] [--profile FOLDER]` */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { probeWhile } from './probe.ts'
import { reportTable, type ScenarioReport } from './report.ts'
import { loadJson, loadSockets, loadStreams, type Load } from './scenarios.ts'
import { runningServer, startServer } from './target.ts'

const MAX_STREAMS = 2000
const MAX_SECONDS = 300

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
      streams: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'string' },
      profile: { type: 'string' },
    },
  })
  return {
    ...values,
    streams: readCount('streams', values.streams, MAX_STREAMS),
    seconds: readCount('seconds', values.seconds, MAX_SECONDS),
  }
}

const SCENARIOS = [loadJson, loadStreams, loadSockets] as const

const runAll = async (url: URL, load: Load): Promise<ScenarioReport[]> => {
  const reports: ScenarioReport[] = []
  for (const scenario of SCENARIOS) {
    const { result, probe } = await probeWhile<Awaited<ReturnType<typeof scenario>>>(url, () =>
      scenario(url, load),
    )
    reports.push({ ...result, probe })
  }
  return reports
}

const main = async (): Promise<void> => {
  const { url, streams, seconds, json, profile } = readArguments()
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const target = url === undefined ? await startServer(flags) : await runningServer(url)
  try {
    const load = { streams, seconds, model: target.model }
    const reports = await runAll(target.url, load)
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
