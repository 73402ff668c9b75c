/** Names of models: `owner/name@revision` as people write it, and the folder it lies in. */
import { RefineError } from '../../core/errors.ts'

export interface Reference {
  readonly id: string
  readonly revision: string | undefined
}

const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/

/** Whether it can be the id of an installed model: `name` or `owner/name`, as the hub allows them. */
export const isModelId = (id: string): boolean => {
  const parts = id.split('/')
  return parts.length <= 2 && parts.every((part) => PART.test(part) && !/--|\.\./.test(part))
}

/** @throws RefineError invalid_request naming the part that is wrong. */
export const checkModelId = (id: string, param: string): string => {
  if (isModelId(id)) return id
  throw new RefineError(
    'invalid_request',
    `${param}: "${id}" is not a model id; expected name or owner/name of letters, digits, ".", "_" and single "-"`,
    { param },
  )
}

/** @throws RefineError invalid_request naming the part that is wrong. */
export const parseReference = (text: string): Reference => {
  const [id = '', revision, ...more] = text.split('@')
  checkModelId(id, 'model')
  if (revision === undefined) return { id, revision: undefined }
  if (more.length === 0 && REVISION.test(revision) && !revision.includes('..'))
    return { id, revision }
  throw new RefineError(
    'invalid_request',
    `revision: "${revision}" is not a branch, tag or commit as in owner/name@main`,
    { param: 'revision' },
  )
}

/** The hub allows no double dash in names, so that this can be undone. */
export const folderName = (id: string): string => id.replace('/', '--')
