/** `whetstone export`: runs as training data, into a file that is there in whole or not at all. */
import { RefineError } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { EXPORT_FORMATS, ExportQuery, readQuery } from '../exports/export-query.ts'
import { readNumber, UsageError, type Command, type ParsedArguments } from './arguments.ts'
import { writeAll, type CommandIo } from './output.ts'
import { SOURCE_FLAGS } from './refine.ts'
import { replaceFile } from './whole-file.ts'

const TEXT_FLAGS = {
  from: ['TIME', 'Only runs made at this time or later, such as 2030-01-31T00:00:00Z.'],
  to: ['TIME', 'Only runs made before this time.'],
  strategy: ['NAME', 'Only runs of this strategy.'],
  model: ['ID', 'Only runs of this model.'],
  experiment: ['KEY', 'Only runs that took part in this experiment.'],
  arm: ['NAME', 'Only runs that got this arm.'],
} as const

export const EXPORT: Command = {
  name: 'export',
  summary: 'Writes runs as training data, one JSON record a line.',
  maxOperands: 0,
  flags: [
    { name: 'format', value: 'NAME', description: `One of ${EXPORT_FORMATS.join(', ')}.` },
    {
      name: 'out',
      value: 'FILE',
      description: 'Where to; it appears when all is written. Default: standard output.',
    },
    ...Object.entries(TEXT_FLAGS).map(([name, [value, description]]) => ({
      name,
      value,
      description,
    })),
    {
      name: 'where',
      value: 'CONDITION',
      isList: true,
      description: `Only runs whose metric compares so: 'correct=true', 'auto.cost<0.01'. Give it several times.`,
    },
    {
      name: 'minimum-margin',
      value: 'X',
      description: 'Only preferences with a margin at least this wide.',
    },
    { name: 'consented-only', description: 'Only runs whose use for training was agreed to.' },
    { name: 'without-prompts', description: 'Leave out what was asked; its hash stays.' },
    ...SOURCE_FLAGS,
  ],
}

/** Where records come from: this process or a server. Lines without their ends. */
export interface ExportSource {
  lines(query: ExportQuery, signal: AbortSignal): AsyncGenerator<string, void, void>
}

/** @throws UsageError naming the flag that is wrong and what was expected. */
export const exportQueryOf = ({ values, lists }: ParsedArguments): ExportQuery => {
  if (values['format'] === undefined) {
    throw new UsageError(`--format is required: one of ${EXPORT_FORMATS.join(', ')}.`)
  }
  const margin = values['minimum-margin']
  const given = Object.keys(TEXT_FLAGS).map((name) => [name, values[name]])
  const query = {
    format: values['format'],
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    ...(lists['where'] && { where: lists['where'] }),
    ...(margin !== undefined && { minimum_margin: readNumber('minimum-margin', margin) }),
    ...(values['consented-only'] === 'true' && { consented_only: true }),
    ...(values['without-prompts'] === 'true' && { without_prompts: true }),
  }
  try {
    return readQuery(validate(ExportQuery, query)).query
  } catch (thrown) {
    if (!(thrown instanceof RefineError)) throw thrown
    const faults = thrown.fields.map(
      ({ pointer, message }) => `--${pointer.split('/')[1]!.replace('_', '-')} ${message}`,
    )
    throw new UsageError(`${faults.join('; ')}.`)
  }
}

const writeFile = async (
  file: string,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<number> => {
  let count = 0
  const counted = async function* () {
    for await (const line of lines) {
      yield line
      count += 1
    }
  }
  try {
    await replaceFile(file, counted())
    return count
  } catch (cause) {
    if (signal.aborted || cause instanceof RefineError) throw cause
    const reason = (cause as Error).message
    throw new RefineError('invalid_request', `--out ${file} cannot be written: ${reason}`, {
      cause,
    })
  }
}

/** Those of a command that was stopped are not all there are. */
async function* whole(
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  for await (const line of lines) yield `${line}\n`
  signal.throwIfAborted()
}

/** Resolves when all is written. @throws RefineError for a file that cannot be, or what the source throws. */
export const runExport = async (
  source: ExportSource,
  query: ExportQuery,
  out: string | undefined,
  io: CommandIo,
): Promise<void> => {
  const lines = whole(source.lines(query, io.signal), io.signal)
  if (out === undefined) return writeAll(io.stdout, lines)
  const count = await writeFile(out, lines, io.signal)
  io.stderr.write(`${count} records in ${out}\n`)
}
