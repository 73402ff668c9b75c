/** `whetstone refine`: the question and its request from flags and input. */
import { addAbortSignal } from 'node:stream'
import { RefineError } from '../core/errors.ts'
import { validate } from '../core/validation.ts'
import { RunRequest } from '../runs/run-request.ts'
import {
  MODELS_FOLDER_FLAG,
  readNumber,
  readObject,
  UsageError,
  type Command,
  type Flag,
} from './arguments.ts'
import type { CommandIo } from './output.ts'

interface RequestFlag extends Flag {
  readonly kind: 'text' | 'number' | 'object'
  /** Where the value goes in the request. */
  readonly path: readonly [keyof RunRequest, string?]
}

const flag = (
  name: string,
  value: string,
  kind: RequestFlag['kind'],
  path: RequestFlag['path'],
  description: string,
): RequestFlag => ({ name, value, kind, path, description })

const REQUEST_FLAGS: readonly RequestFlag[] = [
  flag('strategy', 'NAME', 'text', ['strategy'], 'How to refine; see "whetstone strategies".'),
  flag('model', 'ID', 'text', ['model'], 'The model; see "whetstone models".'),
  flag('models', 'JSON', 'object', ['models'], `Models of roles, such as '{"judge":"other"}'.`),
  flag('options', 'JSON', 'object', ['options'], `Of the strategy, such as '{"n":4}'.`),
  flag('budget-calls', 'N', 'number', ['budget', 'calls'], 'Model calls the run may make.'),
  flag('budget-tokens', 'N', 'number', ['budget', 'tokens'], 'Tokens, in and out, it may take.'),
  flag('budget-seconds', 'S', 'number', ['budget', 'seconds'], 'Seconds it may last.'),
  flag('budget-cost', 'X', 'number', ['budget', 'cost'], 'Money it may cost.'),
  flag('seed', 'N', 'number', ['seed'], 'Same seed, same run; drawn when absent.'),
  flag('temperature', 'T', 'number', ['sampling', 'temperature'], 'Of the drafts.'),
  flag('max-tokens', 'N', 'number', ['sampling', 'max_tokens'], 'Longest answer, in tokens.'),
]

/** Flags of every command that needs runs, here or on a server. */
export const SOURCE_FLAGS: readonly Flag[] = [
  { name: 'url', value: 'URL', description: 'Use the server at this address.' },
  {
    name: 'api-key-env',
    value: 'NAME',
    description: 'Environment variable that holds the key for that server.',
  },
  { name: 'config', value: 'FILE', description: 'Configuration file, without --url.' },
  { name: 'data', value: 'FOLDER', description: 'Where runs are kept, without --url.' },
]

/** The same for those that make runs: where models are and what they compute on, without a server. */
export const MODEL_SOURCE_FLAGS: readonly Flag[] = [
  ...SOURCE_FLAGS,
  MODELS_FOLDER_FLAG,
  {
    name: 'device',
    value: 'NAME',
    description:
      'What embedded models compute on, without --url: auto, cpu, cuda, webgpu, coreml or directml.',
  },
]

export const REFINE: Command = {
  name: 'refine',
  summary:
    'Answers a question and shows drafts, scores, critiques and revisions. Without a question, or with "-", it is read from standard input.',
  operands: '"QUESTION"',
  maxOperands: 1,
  flags: [
    ...REQUEST_FLAGS,
    { name: 'json', description: 'Print the events as JSON lines.' },
    ...MODEL_SOURCE_FLAGS,
  ],
}

const MAX_QUESTION_LENGTH = 1_000_000

const readAll = async (io: CommandIo): Promise<string> => {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of addAbortSignal(io.signal, io.stdin)) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk as Buffer, { stream: true })
    if (text.length > MAX_QUESTION_LENGTH)
      throw new UsageError(`The question is longer than ${MAX_QUESTION_LENGTH} characters.`)
  }
  return text.trim()
}

/** @throws UsageError when there is no question, neither as an argument nor on standard input. */
export const readQuestion = async (operands: readonly string[], io: CommandIo): Promise<string> => {
  const [operand] = operands
  const isPiped = operand === '-' || (operand === undefined && io.stdin.isTTY !== true)
  const question = isPiped ? await readAll(io) : (operand?.trim() ?? '')
  if (question === '')
    throw new UsageError('There is no question. Try: whetstone refine "What is 17 times 24?"')
  return question
}

const readValue = ({ kind, name }: RequestFlag, text: string): unknown => {
  if (kind === 'number') return readNumber(name, text)
  return kind === 'object' ? readObject(name, text) : text
}

const flagFor = (pointer: string): string | undefined => {
  const flag = REQUEST_FLAGS.find(({ path }) => {
    const own = `/${path.join('/')}`
    return pointer === own || pointer.startsWith(`${own}/`)
  })
  return flag && `--${flag.name}`
}

/**
 * The request that the flags describe.
 * @throws UsageError naming the flag that is wrong and what was expected.
 */
export const requestOf = (
  values: Readonly<Record<string, string>>,
  question: string,
): RunRequest => {
  const request: Record<string, unknown> = { input: question }
  for (const flag of REQUEST_FLAGS) {
    const text = values[flag.name]
    if (text === undefined) continue
    const [field, part] = flag.path
    const value = readValue(flag, text)
    request[field] =
      part === undefined ? value : { ...(request[field] as object | undefined), [part]: value }
  }
  try {
    return validate(RunRequest, request)
  } catch (thrown) {
    if (!(thrown instanceof RefineError)) throw thrown
    const faults = thrown.fields.map(
      ({ pointer, message }) => `${flagFor(pointer) ?? pointer} ${message}`,
    )
    throw new UsageError(`${faults.join('; ')}.`)
  }
}
