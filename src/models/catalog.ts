/** The list of models that are known by a short id: those that come with the package, and those that `whetstone pull` fetches. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { RefineError } from '../core/errors.ts'
import { ROLES } from '../core/task.ts'
import { describeFields, findErrors } from '../core/validation.ts'
import { checkFile } from './file-check.ts'
import type { OnnxConfig } from './model-config.ts'

const Text = Type.String({ minLength: 1 })

const CatalogEntry = Type.Object(
  {
    id: Text,
    adapter: Type.Enum(['onnx']),
    folder: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Of a model that comes with the package, relative to its root.',
      }),
    ),
    repository: Type.Optional(
      Type.String({
        pattern: '^[^/]+/[^/]+$',
        description: 'Of a model to be pulled, on the hub.',
      }),
    ),
    description: Text,
    prompts: Type.Enum(['full', 'compact']),
    roles: Type.Array(Type.Enum([...ROLES]), { minItems: 1 }),
    step_marks: Type.Optional(
      Type.Object({ step: Text, good: Text, bad: Text }, { additionalProperties: false }),
    ),
    evaluation: Type.Optional(
      Type.Record(Type.String(), Text, {
        description:
          'Data sets by name, as `whetstone evaluate --data ID:NAME` finds them: paths below the folder.',
      }),
    ),
    licence: Text,
    context: Type.Integer({ minimum: 1 }),
    weights: Type.Optional(
      Type.Object(
        {
          file: Text,
          sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          size: Type.Integer({ minimum: 1, description: 'Bytes.' }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
/** Either `folder` with `weights`, or `repository`. `folder` is absolute once the catalogue was read. */
export type CatalogEntry = Static<typeof CatalogEntry>

/** An entry that comes with the package. */
export type IncludedModel = CatalogEntry & Required<Pick<CatalogEntry, 'folder' | 'weights'>>

export const isIncluded = (entry: CatalogEntry): entry is IncludedModel =>
  entry.folder !== undefined && entry.weights !== undefined

const Catalog = Type.Object({ models: Type.Array(CatalogEntry) }, { additionalProperties: false })

const FILE = path.join('models', 'catalog.json')

/**
 * Reads `models/catalog.json` below the root of the package.
 * @throws RefineError model_failed naming the file and what is wrong with it.
 */
export const readCatalog = async (packageRoot: string): Promise<readonly CatalogEntry[]> => {
  const file = path.join(packageRoot, FILE)
  const wrong = (message: string, cause?: unknown): RefineError =>
    new RefineError('model_failed', `${file}: ${message}`, { cause })
  let contents: unknown
  try {
    contents = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw wrong('expected a readable JSON file', cause)
  }
  const fields = findErrors(Catalog, contents)
  if (fields.length > 0) throw wrong(describeFields(fields, 'the file'))
  const { models } = contents as Static<typeof Catalog>
  const ids = models.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw wrong(`${twice} is listed twice`)
  const unclear = models.find((entry) => isIncluded(entry) === (entry.repository !== undefined))
  if (unclear !== undefined)
    throw wrong(`${unclear.id} needs either folder and weights, or repository`)
  return models.map((entry) =>
    entry.folder === undefined
      ? entry
      : { ...entry, folder: path.resolve(packageRoot, entry.folder) },
  )
}

/** The models that come with the package, as entries of the configuration: what a server offers without any. */
export const includedModels = (catalog: readonly CatalogEntry[]): OnnxConfig[] =>
  catalog.filter(isIncluded).map(({ id, adapter, folder, prompts, step_marks }) => ({
    id,
    adapter,
    folder,
    prompts,
    ...(step_marks && { step_marks }),
  }))

/**
 * Compares the weights of an entry with its size and checksum.
 * @throws RefineError model_failed saying what differs.
 */
export const verifyWeights = ({ id, folder, weights }: IncludedModel): Promise<void> =>
  checkFile(id, path.join(folder, weights.file), weights)
