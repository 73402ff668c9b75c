/** `whetstone compare`: arms on a data set, with the analysis of experiments. */
import path from 'node:path'
import { compareArms, type ArmComparison, type PairedResult } from '../evaluation/comparison.ts'
import type { RunMeasure } from '../evaluation/measure.ts'
import { readNumber, UsageError, type Command, type ParsedArguments } from './arguments.ts'
import { EVALUATE } from './evaluate.ts'
import type { OutputStream } from './output.ts'
import { replaceFile } from './whole-file.ts'

export const COMPARE: Command = {
  ...EVALUATE,
  name: 'compare',
  summary:
    'Runs two arms or more on a data set and compares them as experiments do: paired by item, with intervals that hold at all looks. Writes comparison.json beside the reports of evaluate.',
  flags: [
    ...EVALUATE.flags,
    {
      name: 'replay',
      value: 'FOLDER',
      description:
        'Compare the runs that this folder holds again; no model is used. What it takes is recorded there; --data may hold corrected labels, and --strategy or --arm choose some of the arms. Writes comparison.json only with --out.',
    },
    { name: 'alpha', value: 'X', description: 'Level of the intervals. Default: 0.05.' },
    {
      name: 'margin',
      value: 'X',
      description: 'Tell whether an arm is at most so much less accurate, such as 0.02.',
    },
    {
      name: 'tuned-for',
      value: 'N',
      description: 'Items at which the intervals of all looks are tightest. Default: all.',
    },
  ],
}

export interface CompareSettings {
  readonly alpha: number
  readonly margin: number | null
  readonly tunedFor: number | undefined
}

/** @throws UsageError naming the flag that is wrong and what was expected. */
export const compareSettings = ({ values }: ParsedArguments): CompareSettings => {
  const read = (flag: string, isGood: (value: number) => boolean, expected: string) => {
    const text = values[flag]
    if (text === undefined) return undefined
    const value = readNumber(flag, text)
    if (isGood(value)) return value
    throw new UsageError(`--${flag} must be ${expected}, not "${text}".`)
  }
  return {
    alpha: read('alpha', (value) => value > 0 && value <= 0.5, 'above 0 and at most 0.5') ?? 0.05,
    margin: read('margin', (value) => value > 0 && value < 1, 'between 0 and 1') ?? null,
    tunedFor: read(
      'tuned-for',
      (value) => Number.isInteger(value) && value > 0,
      'a whole number above 0',
    ),
  }
}

/** @throws UsageError when there is one arm alone */
export const requireTwo = (arms: readonly unknown[]): void => {
  if (arms.length < 2) throw new UsageError('There is nothing to compare: give two arms or more.')
}

const figure = (value: number | null): string =>
  value === null ? '–' : String(Number(value.toPrecision(3)))

const range = (interval: readonly [number, number] | null): string =>
  interval === null ? '–' : `${figure(interval[0])} … ${figure(interval[1])}`

const HEAD = [
  'Arm',
  'Metric',
  'Mean',
  'Baseline',
  'Difference',
  'One look',
  'All looks',
  'p',
  'p adjusted',
  'p all looks',
]

const rowOf = (arm: string, result: PairedResult): string[] => [
  arm,
  result.metric,
  figure(result.mean),
  figure(result.baseline),
  figure(result.difference),
  range(result.interval),
  range(result.interval_anytime),
  figure(result.p),
  figure(result.p_adjusted),
  figure(result.p_anytime),
]

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const sentenceOf = (
  { arm, items, metrics, cost_per_correct: cost, baseline_cost_per_correct: before }: ArmComparison,
  baseline: string,
  { alpha, margin }: CompareSettings,
): string => {
  const correct = metrics.find(({ metric }) => metric === 'correct')!
  const isShown = correct.p_adjusted !== null && correct.p_adjusted <= alpha
  const verdict = !isShown
    ? 'is not shown to be more or less accurate than'
    : correct.better === true
      ? 'is more accurate than'
      : 'is less accurate than'
  const kept = correct.non_inferior?.passes === true ? 'is' : 'is not'
  const guard = margin === null ? '' : ` It ${kept} shown to lose less than ${margin}.`
  return `${arm} ${verdict} ${baseline} on ${items} items.${guard} A right answer costs ${figure(cost)}, with ${baseline} ${figure(before)}.`
}

/** Table and sentences, as Markdown. */
export const describeComparison = (
  arms: readonly ArmComparison[],
  baseline: string,
  settings: CompareSettings,
): string => {
  const rows = arms.flatMap(({ arm, metrics }) => metrics.map((result) => line(rowOf(arm, result))))
  const table = [line(HEAD), line(HEAD.map(() => '---')), ...rows].join('\n')
  return `${table}\n\n${arms.map((arm) => sentenceOf(arm, baseline, settings)).join('\n')}\n`
}

/** Prints the comparison and keeps it in the folder, where one is given, in whole or not at all. */
export const tellComparison = async (
  measures: readonly RunMeasure[],
  baseline: string,
  settings: CompareSettings,
  { out, stdout }: { readonly out: string | undefined; readonly stdout: OutputStream },
): Promise<void> => {
  const items = new Set(measures.map(({ item }) => item)).size
  const tunedFor = settings.tunedFor ?? Math.max(1, items)
  const { alpha, margin } = settings
  const arms = compareArms(measures, { baseline, alpha, margin, tunedFor })
  const body = { object: 'comparison', baseline, alpha, margin, tuned_for: tunedFor, arms }
  const text = `${JSON.stringify(body, null, 2)}\n`
  if (out !== undefined) await replaceFile(path.join(out, 'comparison.json'), [text])
  stdout.write(`\n${describeComparison(arms, baseline, settings)}`)
}
