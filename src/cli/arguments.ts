/** Command-line arguments: one description per command gives its parsing and its help. */
import { parseArgs, type ParseArgsConfig } from 'node:util'

export interface Flag {
  /** Without the dashes. */
  readonly name: string
  /** Name of the value in the help, such as `FILE`; a flag without one is a switch. */
  readonly value?: string
  /** May be given several times; its values are then in `lists`. */
  readonly isList?: boolean
  readonly description: string
}

export const MODELS_FOLDER_FLAG: Flag = {
  name: 'models-dir',
  value: 'FOLDER',
  description: 'Folder of installed models. Default: whetstone/models in the cache of the user.',
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** What stands behind the name in the help, such as `"QUESTION"`. */
  readonly operands?: string
  readonly maxOperands: number
  readonly flags: readonly Flag[]
}

export interface ParsedArguments {
  /** Values of the flags given; a switch is `'true'`. */
  readonly values: Readonly<Record<string, string>>
  /** Values of the flags that may be given several times, in order. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  readonly operands: readonly string[]
}

/** What was typed makes no sense: the command ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const HELP: Flag = { name: 'help', description: 'Show this text.' }

const configOf = (command: Command): NonNullable<ParseArgsConfig['options']> =>
  Object.fromEntries(
    [...command.flags, HELP].map(({ name, value, isList = false }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: isList },
    ]),
  )

const isParseError = (thrown: unknown): thrown is Error =>
  thrown instanceof TypeError && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE')

/** Node's sentence without its advice on positional arguments. */
const firstSentence = (message: string): string =>
  message.replace(/\. To specify[\s\S]*$/, '').replaceAll(/\s*\n\s*/g, ' ')

/**
 * The flags and operands, or 'help' when that is asked for.
 * @throws UsageError naming the unknown flag, the missing value or the operand too many.
 */
export const parseArguments = (
  command: Command,
  argv: readonly string[],
): ParsedArguments | 'help' => {
  const advice = `See "whetstone ${command.name} --help".`
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: configOf(command),
      allowPositionals: true,
      strict: true,
    })
    if (values['help'] === true) return 'help'
    if (positionals.length > command.maxOperands) {
      const extra = positionals[command.maxOperands]
      throw new UsageError(
        `"${extra}" is one argument too many; put text with spaces in quotes. ${advice}`,
      )
    }
    const given = Object.entries(values)
    return {
      values: Object.fromEntries(
        given.flatMap(([name, value]) => (Array.isArray(value) ? [] : [[name, String(value)]])),
      ) as Record<string, string>,
      lists: Object.fromEntries(
        given.flatMap(([name, value]) => (Array.isArray(value) ? [[name, value.map(String)]] : [])),
      ) as Record<string, string[]>,
      operands: positionals,
    }
  } catch (thrown) {
    if (isParseError(thrown)) throw new UsageError(`${firstSentence(thrown.message)}. ${advice}`)
    throw thrown
  }
}

const flagLines = (flags: readonly Flag[]): string[] => {
  const shown = flags.map(({ name, value }) => `--${name}${value === undefined ? '' : ` ${value}`}`)
  const width = Math.max(...shown.map((text) => text.length))
  return flags.map(({ description }, index) => `  ${shown[index]!.padEnd(width)}  ${description}`)
}

/** The help of one command. */
export const commandHelp = (command: Command): string =>
  [
    `Usage: whetstone ${command.name} [flags]${command.operands ? ` ${command.operands}` : ''}`,
    '',
    command.summary,
    '',
    'Flags:',
    ...flagLines([...command.flags, HELP]),
    '',
  ].join('\n')

/** The help of the program. */
export const programHelp = (commands: readonly Command[]): string => {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    'Usage: whetstone COMMAND [flags]',
    '',
    'Commands:',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Every command takes --help.',
    '',
  ].join('\n')
}

/** @throws UsageError when the text is not a number. */
export const readNumber = (flag: string, text: string): number => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(value)) throw new UsageError(`--${flag} must be a number, not "${text}".`)
  return value
}

/** @throws UsageError when the text is not a JSON object. */
export const readObject = (flag: string, text: string): Record<string, unknown> => {
  const refuse = () =>
    new UsageError(`--${flag} must be a JSON object such as '{"n":4}', not ${text}`)
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse()
    return value as Record<string, unknown>
  } catch (thrown) {
    throw thrown instanceof UsageError ? thrown : refuse()
  }
}
