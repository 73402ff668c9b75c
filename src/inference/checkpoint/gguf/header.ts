/**
 * The header of a GGUF file: metadata and where each tensor lies. Versions 2 and 3, little-endian.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import type { BinaryFile } from '../binary-file.ts'
import { badModelFile, sizeOf } from '../tensor-source.ts'
import { BLOCK_FORMATS, type BlockFormat } from './blocks.ts'

export type MetadataValue = number | boolean | string | readonly MetadataValue[]
export type Metadata = ReadonlyMap<string, MetadataValue>

export interface TensorEntry {
  readonly format: BlockFormat
  /** Row-major, as elsewhere here: the file lists dimensions the other way round. */
  readonly shape: readonly number[]
  /** Where the data lie in the file, in bytes. */
  readonly offset: number
  readonly bytes: number
}

export interface Header {
  readonly metadata: Metadata
  readonly tensors: ReadonlyMap<string, TensorEntry>
}

const MAGIC = 0x46554747 // "GGUF"
const VERSIONS = [2, 3]
const WINDOW_BYTES = 1 << 20
const DEFAULT_ALIGNMENT = 32
const MAX_DIMENSIONS = 4
const MAX_NESTING = 4
const ARRAY = 9
const STRING = 8
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Reads a file from the front, a window at a time. */
class Cursor {
  readonly #file: BinaryFile
  #window: DataView = new DataView(new ArrayBuffer(0))
  #start = 0
  #at = 0

  constructor(file: BinaryFile) {
    this.#file = file
  }

  get position(): number {
    return this.#start + this.#at
  }

  get #left(): number {
    return this.#file.size - this.position
  }

  number(bytes: number, read: (view: DataView, at: number) => number | bigint): number {
    const at = this.#take(bytes)
    const value = Number(read(this.#window, at))
    if (bytes === 8 && Math.abs(value) > Number.MAX_SAFE_INTEGER && Number.isInteger(value))
      throw this.damaged(`the number ${value}`)
    return value
  }

  uint32(): number {
    return this.number(4, (view, at) => view.getUint32(at, true))
  }

  uint64(): number {
    return this.number(8, (view, at) => view.getBigUint64(at, true))
  }

  /** A number of things that take at least `bytes` each. */
  count(bytes: number): number {
    const count = this.uint64()
    if (count * bytes > this.#left) throw this.damaged(`${count} entries`)
    return count
  }

  text(): string {
    const length = this.count(1)
    const at = this.#take(length)
    return utf8.decode(new Uint8Array(this.#window.buffer, at, length))
  }

  damaged(what: string): Error {
    const message = `is cut off or damaged: ${what} cannot be at ${this.position} of ${this.#file.size} bytes`
    return badModelFile(this.#file.path, message)
  }

  #take(bytes: number): number {
    if (this.#at + bytes > this.#window.byteLength) {
      if (bytes > this.#left) throw this.damaged(`a value of ${bytes} bytes`)
      this.#start = this.position
      this.#at = 0
      const length = Math.min(this.#left, Math.max(bytes, WINDOW_BYTES))
      this.#window = new DataView(this.#file.read(this.#start, length).buffer)
    }
    const at = this.#at
    this.#at += bytes
    return at
  }
}

/** Readers of the scalar types by the format's number for them, with the bytes that each takes. */
const SCALARS: Readonly<
  Record<number, readonly [number, (view: DataView, at: number) => number | bigint]>
> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at)],
  10: [8, (view, at) => view.getBigUint64(at, true)],
  11: [8, (view, at) => view.getBigInt64(at, true)],
  12: [8, (view, at) => view.getFloat64(at, true)],
}
const BOOLEAN = 7

const readValue = (cursor: Cursor, type: number, depth = 0): MetadataValue => {
  if (type === STRING) return cursor.text()
  if (type === ARRAY && depth < MAX_NESTING) {
    const elements = cursor.uint32()
    const count = cursor.count(SCALARS[elements]?.[0] ?? 8)
    return Array.from({ length: count }, () => readValue(cursor, elements, depth + 1))
  }
  const scalar = SCALARS[type]
  if (scalar === undefined) throw cursor.damaged(`a value of the unknown type ${type}`)
  const value = cursor.number(...scalar)
  return type === BOOLEAN ? value !== 0 : value
}

const readTensor = (cursor: Cursor, file: BinaryFile) => {
  const name = cursor.text()
  const dimensions = cursor.uint32()
  if (dimensions > MAX_DIMENSIONS) throw cursor.damaged(`${name} with ${dimensions} dimensions`)
  const shape = Array.from({ length: dimensions }, () => cursor.uint64()).toReversed()
  const type = cursor.uint32()
  const offset = cursor.uint64()
  const format = BLOCK_FORMATS[type]
  if (format === undefined) {
    const known = Object.values(BLOCK_FORMATS).map((each) => each.name)
    throw badModelFile(
      file.path,
      `${name} is stored as GGML type ${type}, expected one of ${known.join(', ')}`,
    )
  }
  if ((shape.at(-1) ?? 1) % format.elements !== 0)
    throw badModelFile(
      file.path,
      `${name} has rows of ${shape.at(-1)}, expected a multiple of ${format.elements} for ${format.name}`,
    )
  const bytes = (sizeOf(shape) / format.elements) * format.bytes
  return { name, entry: { format, shape, offset, bytes } }
}

const placeTensors = (
  file: BinaryFile,
  entries: readonly ReturnType<typeof readTensor>[],
  start: number,
): Map<string, TensorEntry> => {
  const tensors = new Map<string, TensorEntry>()
  for (const { name, entry } of entries) {
    const offset = start + entry.offset
    if (offset + entry.bytes > file.size)
      throw badModelFile(
        file.path,
        `is cut off: ${name} lies at ${offset} to ${offset + entry.bytes}, but there are ${file.size} bytes`,
      )
    tensors.set(name, { ...entry, offset })
  }
  return tensors
}

/** @throws RefineError model_failed naming the file, the tensor where it is one, and what was expected. */
export const readHeader = (file: BinaryFile): Header => {
  const cursor = new Cursor(file)
  if (file.size < 24 || cursor.uint32() !== MAGIC)
    throw badModelFile(file.path, 'expected a GGUF file: it does not begin with "GGUF"')
  const version = cursor.uint32()
  if (!VERSIONS.includes(version))
    throw badModelFile(file.path, `is GGUF version ${version}, expected 2 or 3, little-endian`)
  const tensorCount = cursor.count(8)
  const metadata = new Map<string, MetadataValue>()
  for (let left = cursor.count(8); left > 0; left--) {
    const key = cursor.text()
    metadata.set(key, readValue(cursor, cursor.uint32()))
  }
  const entries = Array.from({ length: tensorCount }, () => readTensor(cursor, file))
  const alignment = Number(metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT)
  if (!(alignment > 0)) throw badModelFile(file.path, 'general.alignment must be above 0')
  const start = Math.ceil(cursor.position / alignment) * alignment
  return { metadata, tensors: placeTensors(file, entries, start) }
}
