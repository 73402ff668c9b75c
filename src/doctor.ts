/** What `whetstone doctor` looks at. Whatever is found becomes a finding: nothing ends the examination. */
import { accessSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import path from 'node:path'
import { openRegistry, PACKAGE_ROOT, type ReadSecret } from './app-models.ts'
import type { DoctorReport, Finding, Verdict } from './cli/doctor.ts'
import type { Config } from './config.ts'
import { toRefineError } from './core/errors.ts'
import { isIncluded, readCatalog, verifyWeights } from './models/catalog.ts'
import { InstalledModels } from './models/hub/installed-models.ts'
import { findDevices, type DeviceFinding } from './models/onnx/devices.ts'
import { createLog } from './telemetry/log.ts'

export interface Examination {
  readonly version: string
  readonly readSecret: ReadSecret
  readonly signal: AbortSignal
}

const finding = (
  group: string,
  name: string,
  verdict: Verdict,
  detail: string,
  advice?: string,
): Finding => ({ group, name, verdict, detail, ...(advice && { advice }) })

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

const runtimeVersion = (): string => {
  const require = createRequire(import.meta.url)
  return (require('onnxruntime-node/package.json') as { version: string }).version
}

const examineMachine = (version: string): Finding[] => {
  const cores = cpus()
  return [
    finding('machine', 'whetstone', 'ok', version),
    finding('machine', 'node', 'ok', `${process.version} on ${process.platform}/${process.arch}`),
    finding(
      'machine',
      'processor',
      'ok',
      `${cores[0]?.model.trim() ?? 'unknown'}, ${cores.length} cores; models use ${availableParallelism()} threads unless told otherwise`,
    ),
    finding('machine', 'memory', 'ok', `${gibibytes(freemem())} of ${gibibytes(totalmem())} free`),
    finding('machine', 'onnxruntime', 'ok', runtimeVersion()),
  ]
}

/** Where the caches of samples lie in the memory that computes. */
const KEEPS_CACHES: ReadonlySet<string> = new Set(['cpu', 'cuda', 'webgpu'])

/** A device that is missing is broken only where somebody asked for it. */
const deviceFinding = (wanted: ReadonlySet<string>, found: DeviceFinding): Finding => {
  const { device, speed, problem, advice } = found
  if (speed !== undefined)
    return finding(
      'devices',
      device,
      'ok',
      `reads ${speed.gigabytesPerSecond.toFixed(1)} GB/s, computes ${speed.gigaflops.toFixed(0)} GFLOP/s${KEEPS_CACHES.has(device) ? '' : '; the cache of a sample passes through main memory at every step'}`,
    )
  const verdict = wanted.has(device) || device === 'cpu' ? 'broken' : 'absent'
  return finding('devices', device, verdict, problem ?? '', advice && `Needs: ${advice}`)
}

const examineDevices = async (
  config: Config | undefined,
  signal: AbortSignal,
): Promise<Finding[]> => {
  const configured = config?.models.flatMap((model) =>
    model.adapter === 'onnx' && model.device !== undefined ? [model.device] : [],
  )
  const wanted = new Set<string>([...(configured ?? []), ...(config ? [config.device] : [])])
  const found = await findDevices(availableParallelism(), signal)
  return found.map((device) => deviceFinding(wanted, device))
}

/** Runs a check and makes a finding of its failure. */
const attempt = async (
  group: string,
  name: string,
  check: () => Promise<string> | string,
  advice?: string,
): Promise<Finding> => {
  try {
    return finding(group, name, 'ok', await check())
  } catch (thrown) {
    const { code, message } = toRefineError(thrown)
    const detail = code === 'internal' ? String((thrown as Error).message) : message
    return finding(group, name, 'broken', detail, advice)
  }
}

const examineModels = async (config: Config, signal: AbortSignal): Promise<Finding[]> => {
  const included = (await readCatalog(PACKAGE_ROOT)).filter(isIncluded)
  const findings: Finding[] = []
  for (const entry of included)
    findings.push(
      await attempt('models', entry.id, async () => {
        await verifyWeights(entry)
        return 'comes with the program; its weights are as published'
      }),
    )
  const installed = new InstalledModels(config.modelsFolder)
  const { models, broken } = installed.scan()
  for (const model of models) {
    const check = async (): Promise<string> => {
      await installed.verify(model, signal)
      return `${model.folder}: all ${model.files.length} files are as they were installed`
    }
    const again = `whetstone remove ${model.id}, then pull or import it again`
    findings.push(await attempt('models', model.id, check, again))
  }
  for (const { folder, problem } of broken)
    findings.push(finding('models', path.basename(folder), 'broken', problem, `Delete ${folder}`))
  return findings
}

/** The folder itself, or the nearest one above it that exists: there it would be made. */
const checkWritable = (folder: string): string => {
  let existing = folder
  while (!existsSync(existing)) existing = path.dirname(existing)
  accessSync(existing, constants.W_OK | constants.X_OK)
  return existing === folder ? `${folder} can be written` : `${folder} can be made`
}

const checkPort = (host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => server.close(() => resolve(`${host}:${port} is free`)))
  })

/** As at the start of a server: keys, URLs, models that are not installed. */
const checkConfiguration = async (config: Config, readSecret: ReadSecret): Promise<string> => {
  const log = createLog({ level: 'silent', logPrompts: false })
  const registry = await openRegistry(config, log, readSecret)
  try {
    const { model } = config.defaults
    if (model !== undefined) registry.get(model)
    return `${registry.list().length} models can be opened`
  } finally {
    await registry.close()
  }
}

/** @throws the signal's reason when it aborts; nothing else. */
export const examine = async (
  load: () => Config,
  { version, readSecret, signal }: Examination,
): Promise<DoctorReport> => {
  let config: Config | undefined
  const read = await attempt('server', 'configuration', () => {
    config = load()
    return 'valid'
  })
  const findings = [...examineMachine(version), ...(await examineDevices(config, signal))]
  if (config === undefined) return { findings: [...findings, read] }
  const { data, host, port, modelsFolder } = config
  const opened = config
  findings.push(
    ...(await examineModels(opened, signal)),
    read,
    await attempt('server', 'models', () => checkConfiguration(opened, readSecret)),
    await attempt('server', 'data folder', () => checkWritable(data)),
    await attempt('server', 'models folder', () => checkWritable(modelsFolder)),
    await attempt('server', 'port', () => checkPort(host, port), 'Choose another with --port'),
  )
  signal.throwIfAborted()
  return { findings }
}
