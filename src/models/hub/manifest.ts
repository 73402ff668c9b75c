/** The file that makes a folder an installed model. It is written last, and the folder appears under its name as a whole. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { RefineError } from '../../core/errors.ts'
import type { InstalledModel, ModelOrigin } from '../../core/model-store.ts'
import { describeFields, findErrors } from '../../core/validation.ts'

export const MANIFEST = 'whetstone.json'

const Text = Type.String({ minLength: 1 })

const Origin = Type.Union([
  Type.Object({
    kind: Type.Literal('hub'),
    endpoint: Text,
    repository: Text,
    revision: Text,
    commit: Text,
  }),
  Type.Object({ kind: Type.Literal('import'), path: Text, mode: Type.Enum(['link', 'copy']) }),
])

const Manifest = Type.Object({
  format: Type.Literal(1),
  id: Text,
  origin: Origin,
  installed_at: Text,
  files: Type.Array(
    Type.Object({
      path: Text,
      size: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    { minItems: 1 },
  ),
})

export const writeManifest = async (model: InstalledModel): Promise<void> => {
  const { id, folder, origin, installedAt, files } = model
  const manifest = { format: 1, id, origin, installed_at: installedAt, files }
  await writeFile(path.join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** @throws RefineError model_failed naming the file and what is wrong with it. */
export const readManifest = (folder: string): InstalledModel => {
  const file = path.join(folder, MANIFEST)
  const wrong = (message: string, cause?: unknown): RefineError =>
    new RefineError('model_failed', `${file}: ${message}`, { cause })
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw wrong('expected a readable JSON file', cause)
  }
  const fields = findErrors(Manifest, value)
  if (fields.length > 0) throw wrong(describeFields(fields, 'the file'))
  const { id, origin, installed_at: installedAt, files } = value as Static<typeof Manifest>
  return { id, folder, origin: origin as ModelOrigin, installedAt, files }
}
