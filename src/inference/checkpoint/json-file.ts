/** Reads the JSON files of a model folder, with errors that name the file and the field. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Static, TSchema } from 'typebox'
import { describeFields, findErrors } from '../../core/validation.ts'
import { badModelFile } from './tensor-source.ts'

const isAbsent = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'

/** @throws RefineError model_failed when the file cannot be read, is not JSON or has another form; undefined when there is none. */
export const readOptionalJson = <Schema extends TSchema>(
  folder: string,
  name: string,
  schema: Schema,
): Static<Schema> | undefined => {
  const file = path.join(folder, name)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw badModelFile(file, 'expected a readable JSON file', cause)
  }
  const fields = findErrors(schema, value)
  if (fields.length > 0) throw badModelFile(file, describeFields(fields, 'the file'))
  return value as Static<Schema>
}

/** As `readOptionalJson`, but the file must exist. */
export const readJson = <Schema extends TSchema>(
  folder: string,
  name: string,
  schema: Schema,
): Static<Schema> => {
  const value = readOptionalJson(folder, name, schema)
  if (value === undefined)
    throw badModelFile(path.join(folder, name), 'expected this file in the model folder')
  return value
}
