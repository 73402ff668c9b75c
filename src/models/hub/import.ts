/** Takes a model in that is on the disk already. */
import { copyFile, link, readdir, realpath, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { RefineError } from '../../core/errors.ts'
import type {
  ImportRequest,
  InstalledFile,
  InstalledModel,
  StoreCall,
} from '../../core/model-store.ts'
import { makeFolder } from '../../files/make-folder.ts'
import { sha256Of } from '../file-check.ts'
import type { InstalledModels } from './installed-models.ts'
import type { CheckpointChecks } from './pull.ts'
import { checkModelId, isModelId } from './reference.ts'
import { selectFiles } from './selection.ts'

interface LocalFile {
  /** As it will lie in the model's folder. */
  readonly path: string
  readonly source: string
  readonly size: number
}

const filesBelow = async (folder: string): Promise<LocalFile[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => path.relative(folder, file).split(path.sep).length <= 2)
  const found = await Promise.all(
    files.map(async (source) => {
      // Follows links: a hub's own cache is made of them.
      const { size, isFile } = await stat(source).then(
        (found) => ({ size: found.size, isFile: found.isFile() }),
        () => ({ size: 0, isFile: false }),
      )
      const name = path.relative(folder, source).split(path.sep).join('/')
      return isFile ? [{ path: name, source, size }] : []
    }),
  )
  return found.flat()
}

interface Found {
  readonly files: readonly LocalFile[]
  /** Other weights that the folder holds. */
  readonly others: readonly string[]
}

/** @throws RefineError invalid_request when there is nothing to import. */
const findFiles = async (source: string): Promise<Found> => {
  const found = await stat(source).catch((cause: unknown) => {
    throw new RefineError('invalid_request', `${source} cannot be read`, { cause })
  })
  if (found.isDirectory()) {
    const { settings, weights, others } = selectFiles(await filesBelow(source), undefined, source)
    return { files: [...settings, ...weights], others: weights.length === 1 ? others : [] }
  }
  if (found.isFile() && source.toLowerCase().endsWith('.gguf'))
    return { files: [{ path: path.basename(source), source, size: found.size }], others: [] }
  throw new RefineError(
    'invalid_request',
    `${source}: expected a folder in Hugging Face layout or a .gguf file`,
  )
}

const idOf = (source: string, wish: string | undefined): string => {
  if (wish !== undefined) return checkModelId(wish, '--id')
  const name = path.basename(source).replace(/\.gguf$/i, '')
  if (isModelId(name)) return name
  throw new RefineError('invalid_request', `"${name}" cannot be a model id: give one with --id`)
}

const linkAll = async (files: readonly LocalFile[], workspace: string): Promise<boolean> => {
  for (const { source, path: name } of files) {
    try {
      // Of a symbolic link, the link itself would be linked; it leads nowhere from another folder.
      await link(await realpath(source), path.join(workspace, name))
    } catch {
      // Another disk, or one without links.
      return false
    }
  }
  return true
}

const copyAll = async (
  files: readonly LocalFile[],
  workspace: string,
  { signal, report }: StoreCall,
): Promise<void> => {
  for (const { source, path: name, size } of files) {
    signal.throwIfAborted()
    const target = path.join(workspace, name)
    await rm(target, { force: true })
    await copyFile(source, target)
    report({ type: 'bytes', count: size })
  }
}

const sums = async (
  files: readonly LocalFile[],
  workspace: string,
  signal: AbortSignal,
): Promise<InstalledFile[]> => {
  const result: InstalledFile[] = []
  for (const { path: name, size } of files)
    result.push({ path: name, size, sha256: await sha256Of(path.join(workspace, name), signal) })
  return result
}

const takeIn = async (
  files: readonly LocalFile[],
  workspace: string,
  copy: boolean,
  call: StoreCall,
): Promise<'link' | 'copy'> => {
  await rm(workspace, { recursive: true, force: true })
  for (const folder of new Set(files.map(({ path: name }) => path.dirname(name))))
    makeFolder(path.join(workspace, folder))
  if (!copy && (await linkAll(files, workspace))) return 'link'
  const bytes = files.reduce((total, { size }) => total + size, 0)
  call.report({ type: 'plan', files: files.length, bytes, done: 0 })
  await copyAll(files, workspace, call)
  return 'copy'
}

/**
 * Links the files into the folder of models (hard links: no space, and the source may be moved or deleted), or copies
 * them where that cannot be or is asked for; loads the model once, and registers it if that works.
 * @throws RefineError saying what is wrong with which file; nothing is installed then.
 */
export const importModel = async (
  models: InstalledModels,
  checks: CheckpointChecks,
  request: ImportRequest,
  call: StoreCall,
): Promise<InstalledModel> => {
  const source = path.resolve(request.path)
  const { files, others } = await findFiles(source)
  const id = idOf(source, request.id)
  return models.lock(id, async () => {
    if (models.find(id) !== undefined)
      throw new RefineError(
        'conflict',
        `${id} is installed already: give another name with --id, or run "whetstone remove ${id}" first`,
      )
    if (others.length > 0) {
      const text = `Takes ${files.at(-1)!.path}; to have another, import its file: ${others.join(', ')}`
      call.report({ type: 'note', text })
    }
    const workspace = models.workspace(id)
    try {
      const mode = await takeIn(files, workspace, request.copy, call)
      await checks.settings(workspace)
      call.report({ type: 'note', text: 'Loading it once, to see that it is whole …' })
      await checks.load(workspace)
      const origin = { kind: 'import', path: source, mode } as const
      const installed = await sums(files, workspace, call.signal)
      call.signal.throwIfAborted()
      return await models.install({ id, origin, files: installed })
    } finally {
      await rm(workspace, { recursive: true, force: true })
    }
  })
}
