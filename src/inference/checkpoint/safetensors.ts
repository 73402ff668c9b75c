/** Reader of safetensors: 8 bytes of header length, a JSON header, then the data; one file or several with an index. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Type, type Static } from 'typebox'
import { describeFields, findErrors } from '../../core/validation.ts'
import { BinaryFile } from './binary-file.ts'
import { BYTES_PER_ELEMENT, toFloat32, type FloatFormat } from './float-formats.ts'
import { readJson } from './json-file.ts'
import { badModelFile, sizeOf, type TensorSource } from './tensor-source.ts'

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'
const LENGTH_BYTES = 8
const MAX_HEADER_BYTES = 100_000_000

const Entry = Type.Object({
  dtype: Type.String(),
  shape: Type.Array(Type.Integer({ minimum: 0 })),
  data_offsets: Type.Tuple([Type.Integer({ minimum: 0 }), Type.Integer({ minimum: 0 })]),
})
type Entry = Static<typeof Entry>
const Header = Type.Record(Type.String(), Entry)
const Index = Type.Object({ weight_map: Type.Record(Type.String(), Type.String()) })

const isFloatFormat = (dtype: string): dtype is FloatFormat =>
  Object.hasOwn(BYTES_PER_ELEMENT, dtype)

interface OpenFile {
  readonly file: BinaryFile
  /** Where the data begins in the file. */
  readonly start: number
  readonly entries: ReadonlyMap<string, Entry>
}

const parseHeader = (file: string, bytes: Uint8Array): Map<string, Entry> => {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw badModelFile(file, 'expected a JSON header as safetensors begins with', cause)
  }
  if (typeof header === 'object' && header !== null && '__metadata__' in header)
    delete header['__metadata__']
  const fields = findErrors(Header, header)
  if (fields.length > 0) throw badModelFile(file, `header: ${describeFields(fields)}`)
  return new Map(Object.entries(header as Static<typeof Header>))
}

const checkEntries = (
  file: string,
  entries: ReadonlyMap<string, Entry>,
  dataBytes: number,
): void => {
  for (const [
    name,
    {
      data_offsets: [begin, end],
    },
  ] of entries)
    if (end < begin || end > dataBytes)
      throw badModelFile(
        file,
        `is cut off or damaged: ${name} lies at ${begin} to ${end}, but there are ${dataBytes} bytes of data`,
      )
}

const openFile = (path: string): OpenFile => {
  const file = new BinaryFile(path, 'safetensors')
  try {
    if (file.size < LENGTH_BYTES) throw badModelFile(path, 'is too short for a safetensors file')
    const length = Number(new DataView(file.read(0, LENGTH_BYTES).buffer).getBigUint64(0, true))
    if (length > MAX_HEADER_BYTES || LENGTH_BYTES + length > file.size)
      throw badModelFile(path, `is cut off or damaged: its header should take ${length} bytes`)
    const entries = parseHeader(path, file.read(LENGTH_BYTES, length))
    const start = LENGTH_BYTES + length
    checkEntries(path, entries, file.size - start)
    return { file, start, entries }
  } catch (error) {
    file.close()
    throw error
  }
}

class SafetensorsSource implements TensorSource {
  readonly #folder: string
  readonly #files: readonly OpenFile[]

  constructor(folder: string, files: readonly OpenFile[]) {
    this.#folder = folder
    this.#files = files
  }

  has(name: string): boolean {
    return this.#files.some(({ entries }) => entries.has(name))
  }

  read(name: string, shape: readonly number[]): Float32Array {
    const home = this.#files.find(({ entries }) => entries.has(name))
    const entry = home?.entries.get(name)
    if (home === undefined || entry === undefined)
      throw badModelFile(this.#folder, `expected a tensor ${name} of shape [${shape.join(', ')}]`)
    const {
      dtype,
      data_offsets: [begin, end],
    } = entry
    if (entry.shape.join() !== shape.join())
      throw badModelFile(
        home.file.path,
        `${name} has shape [${entry.shape.join(', ')}], expected [${shape.join(', ')}]`,
      )
    if (!isFloatFormat(dtype))
      throw badModelFile(home.file.path, `${name} is stored as ${dtype}, expected F32, F16 or BF16`)
    if (end - begin !== sizeOf(shape) * BYTES_PER_ELEMENT[dtype])
      throw badModelFile(
        home.file.path,
        `${name} takes ${end - begin} bytes, which does not fit its shape`,
      )
    return toFloat32(dtype, home.file.read(home.start + begin, end - begin))
  }

  close(): void {
    for (const { file } of this.#files) file.close()
  }
}

const fileNames = (folder: string): string[] => {
  if (existsSync(path.join(folder, SINGLE))) return [SINGLE]
  if (!existsSync(path.join(folder, INDEX)))
    throw badModelFile(folder, `expected ${SINGLE} or ${INDEX}`)
  const names = [...new Set(Object.values(readJson(folder, INDEX, Index).weight_map))]
  for (const name of names)
    if (path.basename(name) !== name)
      throw badModelFile(path.join(folder, INDEX), `${name} must be a file in the same folder`)
  return names
}

/**
 * Opens the weights of a folder; the caller closes them.
 * @throws RefineError model_failed naming the file when one is absent, cut off or damaged.
 */
export const openSafetensors = (folder: string): TensorSource => {
  const files: OpenFile[] = []
  try {
    for (const name of fileNames(folder)) files.push(openFile(path.join(folder, name)))
  } catch (error) {
    for (const { file } of files) file.close()
    throw error
  }
  return new SafetensorsSource(folder, files)
}
