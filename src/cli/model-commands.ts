/** `whetstone pull`, `import` and `remove`: the models on this machine's disk. */
import type { InstalledModel, ModelStore, StoreCall } from '../core/model-store.ts'
import { MODELS_FOLDER_FLAG, UsageError, type Command } from './arguments.ts'
import { columnsOf, print, type Action, type CommandEntry } from './command.ts'
import { table } from './lists.ts'
import { EXIT_CODES } from './run-refine.ts'
import { bytesText, StoreProgress } from './store-progress.ts'
import type { CommandIo } from './output.ts'

const FOLDER_FLAGS = [
  MODELS_FOLDER_FLAG,
  { name: 'config', value: 'FILE', description: 'Configuration file. Default whetstone.yaml.' },
] as const

const PULL: Command = {
  name: 'pull',
  summary:
    'Installs a model of the Hugging Face hub (or of HF_ENDPOINT), with HF_TOKEN where that is set. Resumes what was interrupted.',
  operands: 'OWNER/NAME[@REVISION]',
  maxOperands: 1,
  flags: [
    {
      name: 'file',
      value: 'NAME',
      description: 'The weights to take: a path, or a part of one that is unique, such as Q4_K_M.',
    },
    { name: 'id', value: 'ID', description: 'Id to install it under. Default: its name.' },
    {
      name: 'offline',
      description: 'Fetch nothing; say what is missing. Also WHETSTONE_OFFLINE=1.',
    },
    ...FOLDER_FLAGS,
  ],
}

const IMPORT: Command = {
  name: 'import',
  summary: 'Installs a model from a folder in Hugging Face layout or from a GGUF file.',
  operands: 'FOLDER|FILE',
  maxOperands: 1,
  flags: [
    { name: 'id', value: 'ID', description: 'Id to install it under. Default: its name.' },
    {
      name: 'copy',
      description:
        'Copy the files. Default: hard links, which take no space, where the disk is the same.',
    },
    ...FOLDER_FLAGS,
  ],
}

const REMOVE: Command = {
  name: 'remove',
  summary: 'Deletes an installed model.',
  operands: 'ID',
  maxOperands: 1,
  flags: [...FOLDER_FLAGS],
}

const operandOf = ({ name, operands }: Command, given: readonly string[]): string => {
  const [operand] = given
  if (operand !== undefined && operand !== '') return operand
  throw new UsageError(`Which one? Usage: whetstone ${name} ${operands}`)
}

const sizeOf = ({ files }: InstalledModel): number =>
  files.reduce((total, { size }) => total + size, 0)

const install = async (
  io: CommandIo,
  action: (call: StoreCall) => Promise<InstalledModel>,
): Promise<InstalledModel> => {
  const progress = new StoreProgress(io.stderr)
  try {
    return await action({ signal: io.signal, report: progress.report })
  } finally {
    progress.end()
  }
}

const pull: Action = async ({ values, operands }, io, deps) => {
  const reference = operandOf(PULL, operands)
  const store = await deps.openModelStore(values)
  const { file, id } = values
  const request = {
    reference,
    ...(file !== undefined && { file }),
    ...(id !== undefined && { id }),
  }
  const model = await install(io, (call) => store.pull(request, call)).finally(() => {
    if (io.signal.aborted) io.stderr.write('Stopped; the next pull goes on from here.\n')
  })
  await print(
    io,
    `${model.id} is installed in ${model.folder} (${bytesText(sizeOf(model))}).\nUse it: whetstone serve --model ${model.id}\n`,
  )
  return EXIT_CODES.completed
}

const importAction: Action = async ({ values, operands }, io, deps) => {
  const path = operandOf(IMPORT, operands)
  const store = await deps.openModelStore(values)
  const { id, copy } = values
  const request = { path, copy: copy === 'true', ...(id !== undefined && { id }) }
  const model = await install(io, (call) => store.import(request, call))
  const isLinked = model.origin.kind === 'import' && model.origin.mode === 'link'
  await print(
    io,
    `${model.id} is installed in ${model.folder}, ${isLinked ? 'by hard links to' : 'as a copy of'} ${path} (${bytesText(sizeOf(model))}).\nUse it: whetstone serve --model ${model.id}\n`,
  )
  return EXIT_CODES.completed
}

const remove: Action = async ({ values, operands }, io, deps) => {
  const id = operandOf(REMOVE, operands)
  const store = await deps.openModelStore(values)
  await store.remove(id)
  await print(io, `${id} is removed.\n`)
  return EXIT_CODES.completed
}

const originText = ({ origin }: InstalledModel): string =>
  origin.kind === 'hub'
    ? `${origin.repository}@${origin.revision} (${origin.commit.slice(0, 12)}) of ${origin.endpoint}`
    : `${origin.mode === 'link' ? 'linked' : 'copied'} from ${origin.path}`

/** The installed models as text; `store.list` as JSON. */
export const printInstalled = async (
  io: CommandIo,
  store: ModelStore,
  isJson: boolean,
): Promise<void> => {
  const models = store.list()
  if (isJson) return print(io, `${JSON.stringify(models, null, 2)}\n`)
  if (models.length === 0)
    return print(io, `None is installed in ${store.folder}. See "whetstone pull --help".\n`)
  const rows = models.map((model) => [model.id, bytesText(sizeOf(model)), originText(model)])
  return print(io, table([['INSTALLED', 'SIZE', 'ORIGIN'], ...rows], columnsOf(io)))
}

export const MODEL_COMMANDS: readonly CommandEntry[] = [
  [PULL, pull],
  [IMPORT, importAction],
  [REMOVE, remove],
]
