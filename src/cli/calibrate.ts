/** `whetstone calibrate`: the threshold of `selective`, from runs that are known to be right or wrong. */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { SCORERS } from '../core/scorer.ts'
import {
  calibrate,
  judgedByFeedback,
  judgedByLabels,
  type Calibration,
} from '../evaluation/calibration.ts'
import { findDataSet, readDataSet } from '../evaluation/data-set.ts'
import type { RiskPoint, Scored } from '../evaluation/statistics/risk-coverage.ts'
import { readNumber, UsageError, type Command, type ParsedArguments } from './arguments.ts'
import { print, type Action, type CommandEntry } from './command.ts'
import { JOURNAL } from './evaluate-run.ts'
import { EXIT_CODES } from './run-refine.ts'
import { replaceFile } from './whole-file.ts'

const CALIBRATE: Command = {
  name: 'calibrate',
  summary:
    'Finds the threshold below which `selective` should decline, from the runs of an evaluation (--runs, --data) or from exported runs with feedback (--export).',
  maxOperands: 0,
  flags: [
    { name: 'runs', value: 'FOLDER', description: 'Folder of an evaluation, or its runs.jsonl.' },
    { name: 'data', value: 'FILE', description: 'The data set of that evaluation.' },
    {
      name: 'arm',
      value: 'NAME',
      description: 'Only the runs of this arm; default: of all that use the scorer.',
    },
    {
      name: 'export',
      value: 'FILE',
      description: 'Made by `whetstone export --format runs`, in place of an evaluation.',
    },
    {
      name: 'metric',
      value: 'NAME',
      description:
        'Feedback that says whether an exported run is right, as `metrics` of the export. Default: correct.',
    },
    { name: 'scorer', value: 'NAME', description: 'Whose scores are used. Default: judge.' },
    {
      name: 'risk',
      value: 'X',
      description: 'Share of the answers given that may be wrong. Default: 0.1.',
    },
    { name: 'out', value: 'FILE', description: 'Write all of it as JSON.' },
  ],
}

const readRisk = (text = '0.1'): number => {
  const risk = readNumber('risk', text)
  if (risk >= 0 && risk < 1) return risk
  throw new UsageError(`--risk must be a share from 0 to below 1, not "${text}".`)
}

const readScorer = (name = 'judge'): string => {
  if ((SCORERS as readonly string[]).includes(name)) return name
  throw new UsageError(`--scorer must be one of ${SCORERS.join(', ')}, not "${name}".`)
}

/** @throws UsageError naming the flag when there is no such file */
const fileOf = async (flag: string, place: string, inFolder = ''): Promise<string> => {
  const isThere = async (file: string): Promise<boolean> =>
    (await stat(file).catch(() => undefined))?.isDirectory() === false
  const found = inFolder !== '' && !(await isThere(place)) ? path.join(place, inFolder) : place
  if (await isThere(found)) return found
  throw new UsageError(`--${flag}: there is no file ${found}.`)
}

const readAnswers = async (
  { values }: ParsedArguments,
  scorer: string,
  packageRoot: string,
): Promise<Scored[]> => {
  const { runs, data, arm, metric = 'correct' } = values
  const exported = values['export']
  if ((runs === undefined) === (exported === undefined)) {
    throw new UsageError('Give either --runs with --data, or --export.')
  }
  if (exported !== undefined) {
    return judgedByFeedback(await fileOf('export', exported), metric, scorer)
  }
  if (data === undefined) throw new UsageError('--runs needs the labels of --data.')
  const items = await readDataSet(await findDataSet(data, packageRoot))
  return judgedByLabels(await fileOf('runs', runs!, JOURNAL), items, scorer, arm)
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

const describePoint = ({ threshold, coverage, risk, interval, accepted }: RiskPoint): string =>
  `threshold ${threshold}: ${percent(coverage)} answered, of these ${percent(risk)} wrong [${percent(interval.low)}, ${percent(interval.high)}], n ${accepted}`

const SHOWN_POINTS = 12

const curveOf = ({ curve }: Calibration): string[] => {
  const stride = Math.max(1, (curve.length - 1) / (SHOWN_POINTS - 1))
  const shown = Array.from({ length: Math.min(SHOWN_POINTS, curve.length) }, (_, at) =>
    Math.round(at * stride),
  )
  return shown.map((at) => `  ${describePoint(curve[at]!)}`)
}

/** As text; what is chosen on the runs themselves is flattered by them, which the held-out line shows. */
export const describeCalibration = (found: Calibration): string => {
  const { scorer, answers, unscored, risk_of_all: all, target_risk: target } = found
  const { chosen, cautious, held_out: held } = found
  const head = `${scorer} on ${answers} answers (${unscored} without a score): ${percent(all)} wrong when all are given.`
  if (chosen === null) {
    return `${head}\nNo threshold keeps the wrong ones at ${percent(target)}.\n\n${curveOf(found).join('\n')}\n`
  }
  const options = JSON.stringify({ scorer, threshold: chosen.threshold })
  return [
    head,
    `At most ${percent(target)} wrong: ${describePoint(chosen)}.`,
    cautious === null
      ? 'No threshold keeps the upper end of the interval there: more answers are needed.'
      : `By the upper end of the interval: ${describePoint(cautious)}.`,
    held === null || held.risk === null
      ? 'Too few answers to try it on ones that it was not chosen on.'
      : `Chosen on one half and tried on the other: ${percent(held.coverage)} answered, ${percent(held.risk)} wrong.`,
    `Use it: "strategy": "selective", "options": ${options}`,
    '',
    ...curveOf(found),
    '',
  ].join('\n')
}

const run: Action = async (parsed, io, { packageRoot }) => {
  const { values } = parsed
  const [scorer, risk] = [readScorer(values['scorer']), readRisk(values['risk'])]
  const answers = await readAnswers(parsed, scorer, packageRoot)
  if (answers.length === 0) throw new UsageError('There is no answer that is known right or wrong.')
  if (answers.every(({ score }) => score === null)) {
    throw new UsageError(`No answer has a score by "${scorer}": see --scorer.`)
  }
  const found = calibrate(answers, scorer, risk)
  if (values['out'] !== undefined) {
    await replaceFile(values['out'], [`${JSON.stringify(found, null, 2)}\n`])
  }
  await print(io, describeCalibration(found))
  return found.chosen === null ? EXIT_CODES.failed : EXIT_CODES.completed
}

export const CALIBRATE_COMMAND: CommandEntry = [CALIBRATE, run]
