/** Runs an evaluation and writes its reports. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Arm } from '../evaluation/arm.ts'
import { findDataSet, readDataSet } from '../evaluation/data-set.ts'
import {
  evaluate,
  type EvaluationEnd,
  type Progress,
  type RunSource,
} from '../evaluation/evaluate.ts'
import { preflight } from '../evaluation/preflight.ts'
import { Journal } from '../evaluation/journal.ts'
import type { RunMeasure } from '../evaluation/measure.ts'
import { describeResults, toMarkdown } from '../evaluation/report/markdown.ts'
import { toHtml } from '../evaluation/report/page.ts'
import { reportResults, type Results } from '../evaluation/report/results.ts'
import { makeFolder } from '../files/make-folder.ts'
import { UsageError } from './arguments.ts'
import type { EvaluateSettings } from './evaluate.ts'
import { SETTINGS } from './recorded-settings.ts'
import { createProgressDisplay } from './evaluate-progress.ts'
import type { OutputStream } from './output.ts'
import { EXIT_CODES } from './run-refine.ts'
import { replaceFile } from './whole-file.ts'

export interface EvaluateOptions {
  readonly settings: EvaluateSettings
  readonly source: RunSource
  /** Where `models/catalog.json` stands, for data sets that come with a model. */
  readonly packageRoot: string
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Stops the evaluation; the reports are written on what there is. */
  readonly signal: AbortSignal
  /** Flags of the comparison that is made of the runs, to be recorded. */
  readonly analysis?: Readonly<Record<string, number | null | undefined>>
  /** What else is made of the runs; `baseline` is the arm that the reports compare with. */
  readonly afterwards?: (measures: readonly RunMeasure[], baseline: string) => Promise<void>
}

export const JOURNAL = 'runs.jsonl'

/** @throws UsageError naming the folder when it cannot be made */
export const makeOutFolder = (out: string): void => {
  try {
    makeFolder(out)
  } catch (cause) {
    throw new UsageError(`--out: the folder ${out} cannot be made: ${(cause as Error).message}.`)
  }
}

const openJournal = async ({ out, resume }: EvaluateSettings): Promise<Journal> => {
  const file = path.join(out, JOURNAL)
  makeOutFolder(out)
  const size = await stat(file).then(
    (entry) => entry.size,
    () => 0,
  )
  if (size > 0 && !resume)
    throw new UsageError(
      `${file} holds runs already: go on with --resume, or choose another --out.`,
    )
  return Journal.open(file)
}

const writeReports = async (out: string, results: Results): Promise<void> => {
  await replaceFile(path.join(out, 'results.json'), [`${JSON.stringify(results, null, 2)}\n`])
  await replaceFile(path.join(out, 'results.md'), [toMarkdown(results)])
  await replaceFile(path.join(out, 'results.html'), [toHtml(results)])
}

const exitCode = (end: EvaluationEnd, results: Results, wasStopped: boolean): number => {
  if (wasStopped && !results.complete) return EXIT_CODES.cancelled
  const failed = results.arms.some((arm) => arm.failed > 0)
  return end.failure === undefined && !failed ? EXIT_CODES.completed : EXIT_CODES.failed
}

const tell = (
  { stdout, stderr, settings }: EvaluateOptions,
  results: Results,
  end: EvaluationEnd,
): void => {
  const failed = results.arms.reduce((sum, arm) => sum + arm.failed, 0)
  if (failed > 0) stderr.write(`${failed} runs failed; --resume --retry-failed runs them again.\n`)
  if (end.failure !== undefined) stderr.write(`whetstone: ${end.failure.message}\n`)
  const [main] = toMarkdown(results).split(/\n(?=## From)/)
  const table = main!.split('\n').filter((line) => line.startsWith('|'))
  stdout.write(`${table.join('\n')}\n\n${describeResults(results)}\n`)
  stdout.write(`Reports: ${path.join(settings.out, 'results.{json,md,html}')}\n`)
}

/** What is to be run, and which arms are not because the models cannot. */
const planOf = async ({ settings, source, packageRoot, signal }: EvaluateOptions) => {
  const { repeats, seed } = settings
  const file = await findDataSet(settings.data, packageRoot)
  const items = await readDataSet(file, settings.limit)
  const { arms, leftOut } = settings.skipRefused
    ? await preflight(source, settings.arms, items[0]!, signal)
    : { arms: settings.arms, leftOut: [] }
  if (arms.length === 0) throw new UsageError('The models can run none of the arms.')
  const isFile = file === settings.data
  const dataName = isFile ? path.basename(file) : settings.data
  const data = isFile ? path.resolve(file) : settings.data
  return { plan: { arms, items, repeats, seed }, data, described: { leftOut, dataName } }
}

/** Keeps what the runs are made with beside them. */
const recordSettings = async (
  { settings, analysis }: EvaluateOptions,
  arms: readonly Arm[],
  data: string,
): Promise<void> => {
  const { limit, repeats, seed, baseline } = settings
  const given = { ...analysis, data, seed, repeat: repeats, limit, baseline }
  const flags = Object.entries(given).filter(([, value]) => value !== undefined && value !== null)
  const recorded = {
    object: 'evaluation.settings',
    arms,
    flags: Object.fromEntries(flags.map(([flag, value]) => [flag, String(value)])),
  }
  await replaceFile(path.join(settings.out, SETTINGS), [`${JSON.stringify(recorded, null, 2)}\n`])
}

/**
 * Runs to the end, or to the signal, and writes the reports. Resolves with the exit code: 0 all runs are there and none
 * failed, 1 a run failed or could not be made, 130 stopped.
 * @throws RefineError for a data set or journal that cannot be read, or when the first run cannot be made.
 */
export const runEvaluate = async (options: EvaluateOptions): Promise<number> => {
  const { settings, source, stderr, signal } = options
  const { concurrency, retryFailed, baseline, expectations } = settings
  const { plan, data, described } = await planOf(options)
  const journal = await openJournal(settings)
  const record = (): Promise<void> => recordSettings(options, plan.arms, data)
  const display = createProgressDisplay(stderr, () => performance.now())
  let end: EvaluationEnd
  try {
    if (!settings.resume) await record()
    const onProgress = (progress: Progress): void => display.show(progress)
    end = await evaluate({ plan, source, journal, concurrency, retryFailed, signal, onProgress })
    // Only now is it known that the runs that were there are of these settings.
    if (settings.resume) await record()
  } finally {
    display.end()
    await journal.close()
  }
  const asked = baseline === undefined ? {} : { baseline }
  const { measures } = end
  const results = reportResults({ plan, measures, expectations, ...described, ...asked })
  await writeReports(settings.out, results)
  tell(options, results, end)
  await options.afterwards?.(measures, results.baseline)
  return exitCode(end, results, signal.aborted)
}
