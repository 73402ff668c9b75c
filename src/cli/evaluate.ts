/** `whetstone evaluate`: arms, data set and settings from flags. */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { RefineError } from '../core/errors.ts'
import { readArms, type Arm } from '../evaluation/arm.ts'
import { readExpectations, type Expectation } from '../evaluation/expectation.ts'
import {
  readNumber,
  readObject,
  UsageError,
  type Command,
  type ParsedArguments,
} from './arguments.ts'
import { MODEL_SOURCE_FLAGS } from './refine.ts'

export const EVALUATE: Command = {
  name: 'evaluate',
  summary:
    'Runs strategies on a data set and reports what each gains and costs: results.json, results.md and results.html. Ctrl-C reports what there is; --resume goes on.',
  maxOperands: 0,
  flags: [
    {
      name: 'data',
      value: 'FILE',
      description: 'JSON lines {id, text or messages, answer, difficulty?}, or MODEL:NAME.',
    },
    {
      name: 'strategy',
      value: 'NAME',
      isList: true,
      description: 'A strategy to compare; give it several times.',
    },
    {
      name: 'arm',
      value: 'JSON',
      isList: true,
      description: `The same with settings: '{"name":…,"strategy":…,"options":…,"model":…,"models":…,"budget":…,"sampling":…}'.`,
    },
    { name: 'arms', value: 'FILE', description: 'A list of such arms, in JSON or YAML.' },
    {
      name: 'only',
      value: 'NAME',
      isList: true,
      description: 'Only the arm of this name, and what is expected of it; give it several times.',
    },
    {
      name: 'skip-refused',
      description: 'Leave out the arms that the models cannot run, and say which and why.',
    },
    { name: 'models', value: 'IDS', description: 'Models, by commas: each strategy with each.' },
    { name: 'budget', value: 'JSON', description: 'Of every run whose arm sets none.' },
    { name: 'sampling', value: 'JSON', description: 'Of every run whose arm sets none.' },
    {
      name: 'baseline',
      value: 'NAME',
      description: 'Arm to compare with. Default: single, or the first.',
    },
    {
      name: 'expectations',
      value: 'FILE',
      description:
        'A list of {claim, arm, against, expect: above | below | kept, margin?}: the reports say which came true.',
    },
    { name: 'limit', value: 'N', description: 'Only the first N items.' },
    { name: 'repeat', value: 'N', description: 'Runs of each arm on each item. Default: 1.' },
    { name: 'seed', value: 'N', description: 'Same seed, same runs. Default: 1.' },
    { name: 'concurrency', value: 'N', description: 'Runs at a time. Default: 8.' },
    { name: 'out', value: 'FOLDER', description: 'Where the reports go. Default: evaluation.' },
    { name: 'resume', description: 'Go on with the runs that the folder holds.' },
    { name: 'retry-failed', description: 'With --resume, run again what failed.' },
    ...MODEL_SOURCE_FLAGS.filter(({ name }) => name !== 'data'),
  ],
}

export interface EvaluateSettings {
  readonly data: string
  readonly arms: readonly Arm[]
  readonly baseline: string | undefined
  readonly expectations: readonly Expectation[]
  readonly limit: number | undefined
  readonly repeats: number
  readonly seed: number
  readonly concurrency: number
  readonly out: string
  readonly resume: boolean
  readonly retryFailed: boolean
  readonly skipRefused: boolean
}

const readCount = (
  values: ParsedArguments['values'],
  flag: string,
  [least, most]: readonly [number, number],
): number | undefined => {
  const text = values[flag]
  if (text === undefined) return undefined
  const value = readNumber(flag, text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new UsageError(`--${flag} must be a whole number from ${least} to ${most}, not "${text}".`)
}

const modelsOf = (text: string | undefined): (string | undefined)[] => {
  const models = text?.split(',').map((id) => id.trim())
  if (models?.includes('') === true) throw new UsageError('--models has an empty id.')
  return models ?? [undefined]
}

const given = (flag: 'budget' | 'sampling', values: ParsedArguments['values']): object => {
  const text = values[flag]
  return text === undefined ? {} : { [flag]: readObject(flag, text) }
}

/** @throws UsageError when the file of `--arms` or `--expectations` cannot be read or holds no list of objects. */
export const readListFile = async (
  flag: 'arms' | 'expectations',
  file: string,
): Promise<readonly object[]> => {
  let list: unknown
  try {
    list = parse(await readFile(file, 'utf8'))
  } catch (thrown) {
    throw new UsageError(`--${flag}: ${file} cannot be read: ${(thrown as Error).message}`)
  }
  if (!Array.isArray(list)) throw new UsageError(`--${flag}: ${file} does not hold a list.`)
  return list.map((entry: unknown) => {
    if (typeof entry === 'object' && entry !== null) return entry
    throw new UsageError(`--${flag}: ${file} holds ${JSON.stringify(entry)}, which is no object.`)
  })
}

const armsOf = ({ values, lists }: ParsedArguments, listed: readonly object[]): Arm[] => {
  const common = { ...given('budget', values), ...given('sampling', values) }
  const models = modelsOf(values['models'])
  const plain = (lists['strategy'] ?? []).flatMap((strategy) =>
    models.map((model) => ({
      name: models.length === 1 ? strategy : `${strategy}@${model}`,
      strategy,
      ...(model === undefined ? {} : { model }),
    })),
  )
  const detailed = (lists['arm'] ?? []).map((text) => readObject('arm', text))
  const arms = [...plain, ...detailed, ...listed].map((arm) => ({ ...common, ...arm }))
  if (arms.length === 0)
    throw new UsageError('There is nothing to compare: give --strategy, --arm or --arms.')
  try {
    return readArms(arms)
  } catch (thrown) {
    if (!(thrown instanceof RefineError)) throw thrown
    const faults = thrown.fields.map(({ pointer, message }) => `${pointer} ${message}`)
    throw new UsageError(
      `${faults.join('; ')}. Arms are counted from 0, --strategy first, --arms last.`,
    )
  }
}

const expectationsOf = (
  listed: readonly object[],
  arms: readonly Arm[],
): readonly Expectation[] => {
  try {
    return readExpectations(listed, arms)
  } catch (thrown) {
    if (!(thrown instanceof RefineError)) throw thrown
    throw new UsageError(`--expectations: ${thrown.message}`)
  }
}

const isAmong = (arms: readonly Arm[], name: string): boolean =>
  arms.some((arm) => arm.name === name)

/** @throws UsageError when there is no such arm. */
const requireArm = (flag: 'only' | 'baseline', name: string, arms: readonly Arm[]): void => {
  if (isAmong(arms, name)) return
  const known = arms.map((arm) => arm.name).join(', ')
  throw new UsageError(`--${flag} must name an arm (${known}), not "${name}".`)
}

const chosenOf = (arms: readonly Arm[], only: readonly string[] | undefined): readonly Arm[] => {
  if (only === undefined) return arms
  for (const name of only) requireArm('only', name, arms)
  return arms.filter(({ name }) => only.includes(name))
}

/** @throws UsageError naming the flag that is wrong and what was expected. */
export const evaluateSettings = (
  parsed: ParsedArguments,
  listed: { readonly arms?: readonly object[]; readonly expectations?: readonly object[] } = {},
): EvaluateSettings => {
  const { values, lists } = parsed
  const { data, baseline } = values
  if (data === undefined) throw new UsageError('--data is required: a file of JSON lines.')
  const all = armsOf(parsed, listed.arms ?? [])
  const arms = chosenOf(all, lists['only'])
  if (baseline !== undefined) requireArm('baseline', baseline, arms)
  return {
    data,
    arms,
    baseline,
    expectations: expectationsOf(listed.expectations ?? [], all).filter(
      ({ arm, against }) => isAmong(arms, arm) && isAmong(arms, against),
    ),
    limit: readCount(values, 'limit', [1, 1_000_000]),
    repeats: readCount(values, 'repeat', [1, 1000]) ?? 1,
    seed: readCount(values, 'seed', [0, 2_147_483_647]) ?? 1,
    concurrency: readCount(values, 'concurrency', [1, 1000]) ?? 8,
    out: values['out'] ?? 'evaluation',
    resume: values['resume'] === 'true',
    retryFailed: values['retry-failed'] === 'true',
    skipRefused: values['skip-refused'] === 'true',
  }
}

/** As `evaluateSettings`, with the files that flags name, and arms that come from elsewhere. */
export const evaluationSettings = async (
  parsed: ParsedArguments,
  more: readonly object[] = [],
): Promise<EvaluateSettings> => {
  const listIn = async (flag: 'arms' | 'expectations') => {
    const file = parsed.values[flag]
    return file === undefined ? [] : await readListFile(flag, file)
  }
  const [arms, expectations] = [await listIn('arms'), await listIn('expectations')]
  return evaluateSettings(parsed, { arms: [...arms, ...more], expectations })
}
