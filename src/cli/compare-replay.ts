/** `whetstone compare --replay`: the comparison of runs that were recorded, without a model. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { findDataSet, readDataSet, type Item } from '../evaluation/data-set.ts'
import { readJournal } from '../evaluation/journal.ts'
import { MeasuredRuns, runsPlanned, type EvaluationPlan } from '../evaluation/measured-runs.ts'
import { baselineOf } from '../evaluation/report/results.ts'
import { UsageError, type ParsedArguments } from './arguments.ts'
import { compareSettings, requireTwo, tellComparison } from './compare.ts'
import { evaluationSettings } from './evaluate.ts'
import { JOURNAL, makeOutFolder } from './evaluate-run.ts'
import type { CommandIo } from './output.ts'
import { completeArguments, readRecorded } from './recorded-settings.ts'
import { MODEL_SOURCE_FLAGS } from './refine.ts'
import { EXIT_CODES } from './run-refine.ts'

/** Flags that only say how runs are made, or what is reported beside the comparison. */
const UNUSED = [
  ...MODEL_SOURCE_FLAGS.map(({ name }) => name).filter((name) => name !== 'data'),
  'resume',
  'retry-failed',
  'skip-refused',
  'concurrency',
  'expectations',
]

/**
 * The folder whose runs are to be compared, undefined when runs are to be made.
 * @throws UsageError naming a flag that makes no sense beside it.
 */
export const replayFolder = ({ values }: ParsedArguments): string | undefined => {
  const folder = values['replay']
  const extra = UNUSED.find((name) => values[name] !== undefined)
  if (folder !== undefined && extra !== undefined)
    throw new UsageError(`--replay makes no runs: leave out --${extra}.`)
  return folder
}

export interface ReplayOptions {
  readonly packageRoot: string
  readonly io: Pick<CommandIo, 'stdout' | 'stderr' | 'signal'>
}

/** What was recorded, and what is said beside it. */
const settingsOf = async (folder: string, given: ParsedArguments) => {
  const recorded = await readRecorded(folder)
  if (recorded === undefined && given.values['data'] === undefined)
    throw new UsageError(
      `--replay: ${folder} does not tell what its runs were made with: give the same flags, --data first.`,
    )
  const complete = recorded && completeArguments(given, recorded)
  const parsed = complete?.parsed ?? given
  const settings = await evaluationSettings(parsed, complete?.arms)
  requireTwo(settings.arms)
  return { settings, asked: compareSettings(parsed) }
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    (entry) => entry.isFile(),
    () => false,
  )

const journalOf = async (folder: string, out: string | undefined): Promise<string> => {
  const file = path.join(folder, JOURNAL)
  if (!(await isFile(file))) throw new UsageError(`--replay: there is no ${file}.`)
  if (out === undefined || path.resolve(out) === path.resolve(folder)) return file
  if (await isFile(path.join(out, JOURNAL)))
    throw new UsageError(`${path.join(out, JOURNAL)} holds other runs: choose another --out.`)
  return file
}

const requireArms = ({ arms }: MeasuredRuns, recorded: ReadonlySet<string>, file: string): void => {
  const missing = [...arms].find(([, { runs }]) => runs === 0)
  if (missing === undefined) return
  const known = [...recorded].map((name) => `"${name}"`).join(', ')
  throw new UsageError(
    `${file} holds no such run of arm "${missing[0]}"; it holds runs of ${known || 'no arm'}.`,
  )
}

/** Takes up the runs of the plan; `items` are all of the data set. */
const takeUp = async (
  { file, items, data }: { file: string; items: readonly Item[]; data: string },
  plan: EvaluationPlan,
  signal: AbortSignal,
) => {
  const measured = new MeasuredRuns(plan)
  const known = new Set(items.map(({ id }) => id))
  const recorded = new Set<string>()
  for await (const record of readJournal(file)) {
    signal.throwIfAborted()
    if (!known.has(record.item))
      throw new UsageError(
        `--data: ${data} lacks item "${record.item}", of which ${file} holds a run.`,
      )
    recorded.add(record.arm)
    measured.takeUp(record)
  }
  requireArms(measured, recorded, file)
  return measured
}

/**
 * Measures the recorded runs anew, against the labels of the data set, and compares them as if they had just been
 * made: the same runs and flags, the same bytes. Nothing but `comparison.json` is written, and that only where asked.
 * @throws UsageError when there are no runs, when an arm has none, or when the data set lacks an item of a run.
 * @throws RefineError conflict when a run was asked with other settings.
 */
export const replayComparison = async (
  folder: string,
  given: ParsedArguments,
  { packageRoot, io }: ReplayOptions,
): Promise<number> => {
  const { out } = given.values
  const file = await journalOf(folder, out)
  const { settings, asked } = await settingsOf(folder, given)
  const { arms, repeats, seed, limit, data } = settings
  const items = await readDataSet(await findDataSet(data, packageRoot))
  const plan = { arms, items: items.slice(0, limit), repeats, seed }
  const measured = await takeUp({ file, items, data }, plan, io.signal)
  io.stderr.write(`Replays ${measured.size} of ${runsPlanned(plan)} runs from ${file}.\n`)
  if (out !== undefined) makeOutFolder(out)
  const baseline = baselineOf(arms, settings.baseline)
  await tellComparison(measured.inOrder(), baseline, asked, { out, stdout: io.stdout })
  return EXIT_CODES.completed
}
