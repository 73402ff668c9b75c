/** Which files of a repository or folder make up a model that we can run. */
import { RefineError } from '../../core/errors.ts'

interface Named {
  readonly path: string
  readonly size: number
}

export interface Selection<File> {
  /** Small files: the configuration, the tokenizer, the chat template; none with GGUF. */
  readonly settings: readonly File[]
  readonly weights: readonly File[]
  /** Other weights that could have been taken. */
  readonly others: readonly string[]
}

const SETTINGS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'modules.json',
  'sentence_bert_config.json',
  '1_Pooling/config.json',
  'model.safetensors.index.json',
])
const SAFETENSORS = /^model(?:-\d+-of-\d+)?\.safetensors$/
const SINGLE = 'model.safetensors'
const ONNX = /^onnx\/[^/]+\.onnx$/
const GGUF_PART = /-(\d{5})-of-(\d{5})\.gguf$/i
const FULL_ONNX = 'onnx/model.onnx'
/** Our choice where nobody makes one: nearest to the original first, among those that are not needlessly large. */
const PREFERRED = ['Q8_0', 'Q6_K', 'Q4_K_M', 'Q4_1', 'Q4_0', 'F16', 'BF16', 'F32']

const refuse = (message: string): RefineError =>
  new RefineError('invalid_request', message, { param: 'file' })

const names = (files: readonly Named[]): string =>
  files
    .map(({ path, size }) => `${path} (${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB)`)
    .join(', ')

/** An ONNX file and the files beside it that hold its data, `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`. */
const withData = <File extends Named>(file: File, files: readonly File[]): File[] => [
  file,
  ...files.filter(
    ({ path }) => path.startsWith(`${file.path}_data`) || path.startsWith(`${file.path}.data`),
  ),
]

const isWeights = (path: string): boolean =>
  SAFETENSORS.test(path) || ONNX.test(path) || path.toLowerCase().endsWith('.gguf')

/** The one that was asked for: by its path, else by a part of its name that no other has. */
const named = <File extends Named>(files: readonly File[], wish: string, where: string): File => {
  const candidates = files.filter(({ path }) => isWeights(path))
  const exact = candidates.find(({ path }) => path === wish)
  if (exact !== undefined) return exact
  const part = wish.toLowerCase()
  const found = candidates.filter(({ path }) => path.toLowerCase().includes(part))
  if (found.length === 1) return found[0]!
  const among = found.length === 0 ? candidates : found
  const count = found.length === 0 ? 'no' : 'more than one'
  throw refuse(
    `--file ${wish}: ${where} has ${count} file of weights of that name. There are: ${names(among) || 'none'}`,
  )
}

const preferredGguf = <File extends Named>(files: readonly File[]): File | undefined => {
  const ggufs = files.filter(
    ({ path }) => path.toLowerCase().endsWith('.gguf') && !/mmproj/i.test(path),
  )
  for (const kind of PREFERRED) {
    const pattern = new RegExp(`(?:^|[-._/])${kind}\\.gguf$`, 'i')
    const found = ggufs.find(({ path }) => pattern.test(path))
    if (found !== undefined) return found
  }
  return ggufs.length === 1 ? ggufs[0] : undefined
}

const chooseWeights = <File extends Named>(
  files: readonly File[],
  wish: string | undefined,
  where: string,
): File[] => {
  const single = files.find(({ path }) => path === SINGLE)
  // A single file beside its own shards is the same weights twice.
  const shards = files.filter((file) => SAFETENSORS.test(file.path) && file !== single)
  if (wish !== undefined) {
    const file = named(files, wish, where)
    if (shards.includes(file)) return shards
    return ONNX.test(file.path) ? withData(file, files) : [file]
  }
  if (single !== undefined) return [single]
  if (shards.length > 0) return shards
  const gguf = preferredGguf(files)
  if (gguf !== undefined) return [gguf]
  const onnx = files.find(({ path }) => path === FULL_ONNX)
  if (onnx !== undefined) return withData(onnx, files)
  const others = files.filter(({ path }) => isWeights(path))
  if (others.length > 0) throw refuse(`${where}: choose weights with --file: ${names(others)}`)
  throw refuse(
    `${where} has no weights that can be read: expected model.safetensors (or its shards), a .gguf file or onnx/model.onnx`,
  )
}

/**
 * Chooses safetensors before GGUF before an ONNX export, one of a kind.
 * @param wish the weights to take: a path, or a part of one, such as `Q4_K_M`
 * @param where what is being looked at, for errors
 * @throws RefineError invalid_request listing what there is.
 */
export const selectFiles = <File extends Named>(
  files: readonly File[],
  wish: string | undefined,
  where: string,
): Selection<File> => {
  const weights = chooseWeights(files, wish, where)
  const part = weights.map(({ path }) => GGUF_PART.exec(path)).find((match) => match !== null)
  if (part !== undefined && part[2] !== '00001')
    throw refuse(
      `${where}: ${weights[0]!.path} is one of ${Number(part[2])} parts; split GGUF files cannot be read`,
    )
  const isGguf = weights[0]!.path.toLowerCase().endsWith('.gguf')
  const isSharded = weights.length > 1 && SAFETENSORS.test(weights[0]!.path)
  // A GGUF file says all that the others would.
  const settings = files.filter(
    ({ path }) => !isGguf && SETTINGS.has(path) && (isSharded || !path.endsWith('.index.json')),
  )
  const others = files
    .filter((file) => isWeights(file.path) && !weights.includes(file))
    .map(({ path }) => path)
  return { settings, weights, others }
}
