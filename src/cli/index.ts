/** The command line: which command runs, and with what exit code it ends. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ConnectionOptions } from '../client/connection.ts'
import { RefineError } from '../core/errors.ts'
import {
  commandHelp,
  parseArguments,
  programHelp,
  UsageError,
  type Command,
  type Flag,
  type ParsedArguments,
} from './arguments.ts'
import {
  columnsOf,
  print,
  type Action,
  type CommandDependencies,
  type CommandEntry,
  type DataUse,
  type Settings,
} from './command.ts'
import { CALIBRATE_COMMAND } from './calibrate.ts'
import { DOCTOR_COMMAND } from './doctor.ts'
import { COMPARE, compareSettings, requireTwo, tellComparison } from './compare.ts'
import { replayComparison, replayFolder } from './compare-replay.ts'
import { EVALUATE, evaluationSettings, type EvaluateSettings } from './evaluate.ts'
import { runEvaluate, type EvaluateOptions } from './evaluate-run.ts'
import { MODELS, STRATEGIES, modelTable, strategyDetails, strategyTable } from './lists.ts'
import { MODEL_COMMANDS, printInstalled } from './model-commands.ts'
import type { CommandIo } from './output.ts'
import { EXPORT, exportQueryOf, runExport } from './export.ts'
import { localExports, remoteExports } from './export-sources.ts'
import { REFINE, readQuestion, requestOf } from './refine.ts'
import { remoteRuns } from './remote-runs.ts'
import { localRuns } from './run-client.ts'
import { EXIT_CODES, runRefine } from './run-refine.ts'

export type { Flag } from './arguments.ts'
export type { CommandDependencies, DataUse, Settings } from './command.ts'
export type { CommandIo } from './output.ts'

const OPENAPI: Command = {
  name: 'openapi',
  summary: 'Prints the OpenAPI document of the server.',
  maxOperands: 0,
  flags: [{ name: 'write', value: 'FILE', description: 'Write it to a file.' }],
}

const serveCommand = (flags: readonly Flag[]): Command => ({
  name: 'serve',
  summary: 'Starts the server.',
  maxOperands: 0,
  flags,
})

const serverOf = (baseUrl: string, values: Settings, io: CommandIo): ConnectionOptions => {
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol))
    throw new UsageError(`--url must be an http or https address, not "${baseUrl}".`)
  const name = values['api-key-env']
  const apiKey = name === undefined ? undefined : io.environment[name]
  if (name !== undefined && !apiKey)
    throw new UsageError(`--api-key-env names ${name}, which is not set.`)
  return { baseUrl, ...(apiKey === undefined ? {} : { apiKey }) }
}

type Opened = Awaited<ReturnType<CommandDependencies['openRuns']>>

/** Uses what is on a server where an address is given, else what is in this process, which is closed afterwards. */
const sourceFrom =
  <Source>(
    remote: (server: ConnectionOptions) => Source,
    local: (opened: Opened) => Source,
    data: DataUse,
  ) =>
  async <Result>(
    values: Settings,
    io: CommandIo,
    deps: CommandDependencies,
    use: (source: Source) => Promise<Result>,
  ): Promise<Result> => {
    const address = values['url']
    if (address !== undefined) return use(remote(serverOf(address, values, io)))
    const opened = await deps.openRuns(values, data)
    try {
      return await use(local(opened))
    } finally {
      await opened.close()
    }
  }

const runsHere = ({ runs }: Opened) => localRuns(runs)
const withRuns = sourceFrom(remoteRuns, runsHere, 'make')
/** For what no run is made for or read: it works beside the server that uses the folder. */
const withLists = sourceFrom(remoteRuns, runsHere, 'none')
const withExports = sourceFrom(remoteExports, ({ exports }) => localExports(exports), 'require')

const refine: Action = async ({ values, operands }, io, deps) => {
  const request = requestOf(values, await readQuestion(operands, io))
  const isTerminal = io.stdout.isTTY === true && io.environment['TERM'] !== 'dumb'
  const { stdout, stderr, signal } = io
  const color = isTerminal && !io.environment['NO_COLOR']
  const json = values['json'] === 'true'
  return withRuns(values, io, deps, (runs) =>
    runRefine({ runs, request, stdout, stderr, isTerminal, color, json, signal }),
  )
}

const strategies: Action = async ({ values, operands }, io, deps) => {
  const all = await withLists(values, io, deps, (runs) => runs.strategies())
  const [name] = operands
  const chosen = name === undefined ? all : all.filter((strategy) => strategy.name === name)
  if (chosen.length === 0)
    throw new UsageError(`There is no strategy "${name}". See "whetstone strategies".`)
  const text =
    name === undefined
      ? strategyTable(chosen, columnsOf(io))
      : strategyDetails(chosen[0]!, columnsOf(io))
  await print(io, values['json'] === 'true' ? `${JSON.stringify(chosen, null, 2)}\n` : text)
  return EXIT_CODES.completed
}

const models: Action = async ({ values }, io, deps) => {
  if (values['installed'] === 'true') {
    await printInstalled(io, await deps.openModelStore(values), values['json'] === 'true')
    return EXIT_CODES.completed
  }
  const all = await withLists(values, io, deps, (runs) => runs.models())
  const isJson = values['json'] === 'true'
  await print(io, isJson ? `${JSON.stringify(all, null, 2)}\n` : modelTable(all, columnsOf(io)))
  return EXIT_CODES.completed
}

/** Runs made here are kept beside the reports: never among those of a server, and not in memory. */
const evaluateRuns = async (
  settings: EvaluateSettings,
  parsed: ParsedArguments,
  io: CommandIo,
  deps: CommandDependencies,
  more: Pick<EvaluateOptions, 'afterwards' | 'analysis'> = {},
): Promise<number> => {
  const { packageRoot } = deps
  const { stdout, stderr, signal } = io
  const data = path.join(settings.out, 'store')
  const values = { ...parsed.values, data, database: 'sqlite' }
  return withRuns(values, io, deps, (source) =>
    runEvaluate({ settings, source, packageRoot, stdout, stderr, signal, ...more }),
  )
}

const evaluate: Action = async (parsed, io, deps) =>
  evaluateRuns(await evaluationSettings(parsed), parsed, io, deps)

const compare: Action = async (parsed, io, deps) => {
  const folder = replayFolder(parsed)
  if (folder !== undefined) return replayComparison(folder, parsed, { ...deps, io })
  const asked = compareSettings(parsed)
  const settings = await evaluationSettings(parsed)
  requireTwo(settings.arms)
  const { alpha, margin, tunedFor } = asked
  return evaluateRuns(settings, parsed, io, deps, {
    analysis: { alpha, margin, 'tuned-for': tunedFor },
    afterwards: (measures, baseline) =>
      tellComparison(measures, baseline, asked, { out: settings.out, stdout: io.stdout }),
  })
}

const exportRuns: Action = async (parsed, io, deps) => {
  const { values } = parsed
  const query = exportQueryOf(parsed)
  await withExports(values, io, deps, (source) => runExport(source, query, values['out'], io))
  return EXIT_CODES.completed
}

const writeTo = (file: string, text: string): Promise<void> =>
  writeFile(file, text).catch((cause: Error) => {
    const message = `--write ${file} cannot be written: ${cause.message}`
    throw new RefineError('invalid_request', message, { cause })
  })

const openapi: Action = async ({ values }, io, deps) => {
  const text = `${JSON.stringify(await deps.openapi(), null, 2)}\n`
  if (values['write'] === undefined) await print(io, text)
  else await writeTo(values['write'], text)
  return EXIT_CODES.completed
}

const serve: Action = async ({ values }, io, deps) => {
  await deps.serve(values, io)
  return EXIT_CODES.completed
}

const dispatch = async (
  argv: readonly string[],
  io: CommandIo,
  deps: CommandDependencies,
): Promise<number> => {
  const actions = new Map<string, CommandEntry>(
    (
      [
        [serveCommand(deps.serveFlags), serve],
        [REFINE, refine],
        [EVALUATE, evaluate],
        [COMPARE, compare],
        CALIBRATE_COMMAND,
        [EXPORT, exportRuns],
        [STRATEGIES, strategies],
        [MODELS, models],
        ...MODEL_COMMANDS,
        DOCTOR_COMMAND,
        [OPENAPI, openapi],
      ] satisfies CommandEntry[]
    ).map((entry) => [entry[0].name, entry]),
  )
  const help = programHelp([...actions.values()].map(([command]) => command))
  const [name, ...rest] = argv
  if (name === '--version') return print(io, `${deps.version}\n`).then(() => 0)
  if (name === '--help' || name === 'help') return print(io, help).then(() => 0)
  if (name === undefined) throw new UsageError(`Which command?\n\n${help.trimEnd()}`)
  const entry = actions.get(name)
  if (entry === undefined)
    throw new UsageError(`"${name}" is not a command; there are ${[...actions.keys()].join(', ')}.`)
  const [command, action] = entry
  const parsed = parseArguments(command, rest)
  if (parsed === 'help') return print(io, commandHelp(command)).then(() => 0)
  return action(parsed, io, deps)
}

/**
 * Runs one command to its end. Resolves with the exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled. Errors
 * meant for the caller are printed on standard error; any other is thrown on.
 */
export const runCommand = async (
  argv: readonly string[],
  io: CommandIo,
  deps: CommandDependencies,
): Promise<number> => {
  try {
    return await dispatch(argv, io, deps)
  } catch (thrown) {
    if (io.signal.aborted) return EXIT_CODES.cancelled
    if (!(thrown instanceof UsageError) && !(thrown instanceof RefineError)) throw thrown
    io.stderr.write(`whetstone: ${thrown.message}\n`)
    return thrown instanceof UsageError ? EXIT_CODES.usage : EXIT_CODES.failed
  }
}
