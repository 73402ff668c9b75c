/** Data sets: one JSON object a line. The label stays with the evaluator; a run sees the question alone. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { answerOf } from '../core/answer.ts'
import { canonicalAnswer } from '../core/canonical-answer.ts'
import { RefineError } from '../core/errors.ts'
import { linesOf } from '../core/lines.ts'
import { Message } from '../core/task.ts'
import { describeFields, findErrors } from '../core/validation.ts'

const Line = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 256 }),
  text: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000_000 })),
  messages: Type.Optional(Type.Array(Message, { minItems: 1, maxItems: 1000 })),
  answer: Type.Union([Type.String({ minLength: 1 }), Type.Number()]),
  difficulty: Type.Optional(Type.Union([Type.String({ minLength: 1 }), Type.Number()])),
})
type Line = Static<typeof Line>

export interface Item {
  readonly id: string
  /** What a run is asked: `input` or `messages` of its request, and nothing else of the line. */
  readonly question: { readonly input: string } | { readonly messages: readonly Message[] }
  /** Canonical form of the right answer. */
  readonly label: string
  readonly difficulty: string | undefined
}

/** A worked solution is a label too: its marked answer counts, else the whole text. */
const labelOf = (answer: string | number): string => {
  const text = String(answer)
  const isMarked = /^\s*####|\\boxed\{/m.test(text)
  return (isMarked ? answerOf(text) : undefined) ?? canonicalAnswer(text)
}

const questionOf = ({ text, messages }: Line): Item['question'] | string => {
  if ((text === undefined) === (messages === undefined))
    return 'has to hold either text or messages'
  if (messages === undefined) return { input: text! }
  return messages.at(-1)!.role === 'user' ? { messages } : 'has to end with a message of the user'
}

const readLine = (text: string, place: string): Item => {
  const wrong = (message: string): RefineError =>
    new RefineError('invalid_request', `${place} ${message}`)
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    throw wrong('is not JSON')
  }
  const faults = findErrors(Line, line)
  if (faults.length > 0) {
    throw wrong(`does not fit: ${describeFields(faults, 'the line')}`)
  }
  const valid = line as Line
  const question = questionOf(valid)
  if (typeof question === 'string') throw wrong(question)
  const difficulty = valid.difficulty === undefined ? undefined : String(valid.difficulty)
  return { id: valid.id, question, label: labelOf(valid.answer), difficulty }
}

/**
 * The items of the file, in order, at most `limit`; no further line is read.
 * @throws RefineError invalid_request naming the line and what is wrong with it.
 */
export const readDataSet = async (file: string, limit = Infinity): Promise<Item[]> => {
  const items = new Map<string, Item>()
  let number = 0
  for await (const text of linesOf(createReadStream(file))) {
    number++
    if (items.size >= limit) break
    if (text.trim() === '') continue
    const place = `${file}, line ${number},`
    const item = readLine(text, place)
    if (items.has(item.id)) {
      throw new RefineError('invalid_request', `${place} repeats the id "${item.id}"`)
    }
    items.set(item.id, item)
  }
  if (items.size === 0) throw new RefineError('invalid_request', `${file} holds no item`)
  return [...items.values()]
}

interface Catalog {
  readonly models?: readonly {
    readonly id?: string
    readonly folder?: string
    readonly evaluation?: Readonly<Record<string, string>>
  }[]
}

/** Names of the data sets that come with the models, such as `model:name`, and where they lie. */
const includedSets = async (packageRoot: string): Promise<Map<string, string>> => {
  const text = await readFile(path.join(packageRoot, 'models', 'catalog.json'), 'utf8').catch(
    () => '{}',
  )
  const { models = [] } = JSON.parse(text) as Catalog
  return new Map(
    models.flatMap(({ id = '', folder = '', evaluation = {} }) =>
      Object.entries(evaluation).map(
        ([name, file]) => [`${id}:${name}`, path.join(packageRoot, folder, file)] as const,
      ),
    ),
  )
}

/**
 * The file that `--data` means: a path, or `MODEL:NAME` for a data set of `models/catalog.json`, whose `evaluation`
 * maps names to files relative to the model's folder.
 * @throws RefineError not_found naming the data sets there are.
 */
export const findDataSet = async (name: string, packageRoot: string): Promise<string> => {
  const included = await includedSets(packageRoot)
  const found = included.get(name)
  if (found !== undefined) return found
  const isFile = await stat(name).then(
    (entry) => entry.isFile(),
    () => false,
  )
  if (isFile) return name
  const known = [...included.keys()].join(', ')
  throw new RefineError(
    'not_found',
    `There is no data set "${name}": not a file${known === '' ? '' : `, and not one of ${known}`}.`,
  )
}
