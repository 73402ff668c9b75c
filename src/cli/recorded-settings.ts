/** What the runs in a folder were made with, so that they can be compared again without saying it again. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { RefineError } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { Arm } from '../evaluation/arm.ts'
import { UsageError, type ParsedArguments } from './arguments.ts'

export const SETTINGS = 'settings.json'

const Text = Type.Optional(Type.String())

const RecordedSettings = Type.Object(
  {
    object: Type.Literal('evaluation.settings'),
    arms: Type.Array(Arm),
    /** As flags. `data` is a name or an absolute path. */
    flags: Type.Object({
      data: Type.String(),
      seed: Type.String(),
      repeat: Type.String(),
      limit: Text,
      baseline: Text,
      alpha: Text,
      margin: Text,
      'tuned-for': Text,
    }),
  },
  { additionalProperties: false },
)
export type RecordedSettings = Static<typeof RecordedSettings>

/** Undefined for a folder of before settings were recorded. @throws UsageError when the file holds something else */
export const readRecorded = async (folder: string): Promise<RecordedSettings | undefined> => {
  const file = path.join(folder, SETTINGS)
  try {
    return validate(RecordedSettings, JSON.parse(await readFile(file, 'utf8')))
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    const isKnown = thrown instanceof RefineError || thrown instanceof SyntaxError
    throw isKnown ? new UsageError(`--replay: ${file} cannot be read: ${thrown.message}`) : thrown
  }
}

/** Flags whose other value would mean other runs. */
const FIXED = ['seed', 'repeat'] as const
const SAY_ARMS = ['strategy', 'arm'] as const
const CHANGE_ARMS = ['models', 'budget', 'sampling'] as const

/**
 * The arguments with what they leave open as recorded; the arms are the recorded ones unless some are named.
 * @throws UsageError naming a flag that contradicts what was recorded.
 */
export const completeArguments = (
  parsed: ParsedArguments,
  { arms, flags }: RecordedSettings,
): { readonly parsed: ParsedArguments; readonly arms: readonly Arm[] } => {
  const { values, lists } = parsed
  for (const flag of FIXED) {
    const given = values[flag]
    if (given === undefined || Number(given) === Number(flags[flag])) continue
    throw new UsageError(
      `--${flag} ${given}: the runs were made with --${flag} ${flags[flag]}. Leave it out.`,
    )
  }
  const areNamed = values['arms'] !== undefined || SAY_ARMS.some((flag) => lists[flag]?.length)
  const change = CHANGE_ARMS.find((flag) => values[flag] !== undefined)
  if (!areNamed && change !== undefined) {
    throw new UsageError(`--${change} says how runs are made, and these are made. Leave it out.`)
  }
  const recorded = Object.entries(flags).filter(([, value]) => value !== undefined)
  return {
    parsed: { ...parsed, values: { ...Object.fromEntries(recorded), ...values } },
    arms: areNamed ? [] : arms,
  }
}
