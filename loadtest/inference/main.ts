/**
 * `npm run bench:inference -- [--model FOLDER|FILE] [--quick] [--json FILE] [--weights fp32|fp16|int8] [--threads N]
 * [--soak SEQUENCES] [--device cuda|webgpu]`
 */
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, homedir, loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { probeSpeed, type Speed } from '../../src/inference/runtime/speed-probe.ts'
import type { Engine } from '../../src/inference/engine.ts'
import type { RealDevice } from '../../src/inference/runtime/devices.ts'
import { benchDevice } from './device-bench.ts'
import { findLlamaServer } from './llama-server.ts'
import { prepareModel } from './model-files.ts'
import type { Remote } from './contestant.ts'
import { findPeers } from './peers.ts'
import { openAll, runRounds, usualWeights, type Cell, type Plan } from './rounds.ts'
import { measureEventLoop, measureFirstTokens, openEngine } from './serving.ts'
import { soak } from './soak.ts'
import { sharesOf, standingOf } from './summary.ts'
import type { Precision } from './whetstone.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..', '..')
const PEBBLE = path.join(ROOT, 'models', 'pebble')

const FULL: Plan = { contexts: [256, 1024], samples: [1, 4, 16, 32], rounds: 3, steps: 16 }
const QUICK: Plan = {
  contexts: [1024],
  samples: [1, 16, 32],
  rounds: 1,
  steps: 3,
  onePrompt: true,
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`)

const oneOf = <Choice extends string>(
  option: string,
  text: string | undefined,
  choices: readonly Choice[],
): Choice | undefined => {
  const found = choices.find((choice) => choice === text)
  if (text !== undefined && found === undefined)
    throw new Error(`--${option} must be ${choices.join(' or ')}, not ${text}`)
  return found
}

const wholeNumber = (option: string, text: string, least: number): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least)
    throw new Error(`--${option} must be a whole number from ${least}, not ${text}`)
  return value
}

const readArguments = () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      weights: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
      soak: { type: 'string', default: '0' },
      device: { type: 'string' },
      cache: { type: 'string' },
    },
  })
  const threads = wholeNumber('threads', values.threads, 1)
  const sequences = wholeNumber('soak', values.soak, 0)
  const device = oneOf('device', values.device, ['cuda', 'webgpu'])
  const formats: readonly Precision[] = device === undefined ? ['fp32', 'int8'] : ['fp32', 'fp16']
  const weights = oneOf('weights', values.weights, formats)
  const caches = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache')
  const cache = values.cache ?? path.join(caches, 'whetstone', 'bench')
  return { ...values, models: values.model ?? [PEBBLE], threads, sequences, weights, device, cache }
}

type Arguments = ReturnType<typeof readArguments>

const loadNow = (): number[] => loadavg().map((load) => Number(load.toFixed(2)))

const describeMachine = (threads: number, speed: Speed) => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  threads,
  node: process.version,
  platform: `${process.platform}/${process.arch}`,
  load_average: loadNow(),
  gigabytes_per_second: speed.gigabytesPerSecond,
  gigaflops: speed.gigaflops,
})

const serve = async (
  engine: Engine,
  location: string,
  { quick, ...args }: Arguments,
  plan: Plan,
) => {
  const { vocabulary, contextLength } = openCheckpoint(location).config().decoder
  const length = Math.min(plan.contexts.at(-1)!, contextLength - 64)
  return {
    event_loop_p99_ms: await measureEventLoop(engine, vocabulary, length, quick ? 8 : 32),
    first_token_ms: await measureFirstTokens(
      engine,
      vocabulary,
      64,
      quick ? [1, 16] : [1, 2, 4, 8, 16, 32, 64],
    ),
    ...(args.sequences > 0 && { soak: await soak(engine, vocabulary, args.sequences, tell) }),
  }
}

const showShares = (location: string, cells: readonly Cell[], speed: Speed) => {
  const { decoder: shape } = openCheckpoint(location).config()
  return cells
    .filter(({ engine }) => engine === 'whetstone')
    .map((cell) => {
      const { bandwidth, arithmetic } = sharesOf(cell, shape, speed)
      tell(
        `context ${cell.context}, ${cell.samples} samples: ${(bandwidth * 100).toFixed(0)} % of the bandwidth, ${(arithmetic * 100).toFixed(0)} % of the float32 arithmetic`,
      )
      return { context: cell.context, samples: cell.samples, bandwidth, arithmetic }
    })
}

const measure = async (
  remotes: readonly Remote[],
  engine: Engine,
  location: string,
  args: Arguments,
) => {
  const plan = args.quick ? QUICK : FULL
  try {
    const cells = await runRounds(remotes, location, plan, tell)
    await Promise.all(remotes.map((remote) => remote.close()))
    return { cells, serving: await serve(engine, location, args, plan) }
  } finally {
    await Promise.all(remotes.map((remote) => remote.close()))
    await engine.close()
  }
}

const benchModel = async (location: string, args: Arguments, speed: Speed) => {
  const weights =
    args.weights === 'int8' || args.weights === 'fp32' ? args.weights : usualWeights(location)
  tell(`\n${location}, weights ${weights}, ${args.threads} threads`)
  const packages = await findPeers(args.cache, !args.quick, tell)
  const files = await prepareModel(location, weights, args.cache, packages, tell)
  // All at once, while nothing is measured; the engine in this process sleeps until its turn.
  const loading = openEngine({ location, weights, threads: args.threads })
  const [remotes, engine] = await Promise.all([openAll(files, args.threads, tell), loading])
  const { cells, serving } = await measure(remotes, engine, location, args)
  const shares = showShares(location, cells, speed)
  const summary = {
    samples_1: standingOf(cells, 1),
    samples_16: standingOf(cells, 16),
    samples_32: standingOf(cells, 32),
    event_loop_p99_ms: serving.event_loop_p99_ms,
  }
  tell(JSON.stringify(summary, null, 2))
  for (const [concurrency, { p50, max }] of Object.entries(serving.first_token_ms))
    tell(
      `first token, ${concurrency} at once: median ${p50?.toFixed(0)} ms, last ${max?.toFixed(0)} ms`,
    )
  return { model: location, weights, summary, cells, shares, serving }
}

const benchOnDevice = async (device: RealDevice, args: Arguments): Promise<void> => {
  const reports = []
  for (const location of args.models) {
    const weights: readonly Precision[] = args.weights ? [args.weights] : ['fp32', 'fp16']
    const request = { location: path.resolve(location), device, weights, threads: args.threads }
    tell(`\n${request.location}`)
    reports.push({ model: request.location, ...(await benchDevice(request, tell)) })
  }
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(reports, null, 2)}\n`)
}

const main = async (): Promise<void> => {
  const args = readArguments()
  if (args.device !== undefined) return benchOnDevice(args.device, args)
  const { chosen, ...speed } = await probeSpeed('cpu', args.threads)
  const machine = describeMachine(args.threads, speed)
  tell(
    `${machine.processor}, ${chosen.device}: ${machine.threads} threads read ${speed.gigabytesPerSecond.toFixed(1)} GB/s and compute ${speed.gigaflops.toFixed(0)} GFLOP/s; load average ${machine.load_average.join(' ')}`,
  )
  if (findLlamaServer() === undefined)
    tell('llama-server takes no part: it is not on the path, and LLAMA_SERVER is not set')
  const models = []
  for (const location of args.models)
    models.push(await benchModel(path.resolve(location), args, speed))
  const report = { machine: { ...machine, load_average_after: loadNow() }, models }
  if (args.json === undefined) return
  // The summary is that of the last model: the one named last matters most.
  const { summary } = models.at(-1)!
  await writeFile(args.json, `${JSON.stringify({ summary, ...report }, null, 2)}\n`)
}

await main().catch((thrown: unknown) => {
  process.stderr.write(`bench: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 2
})
