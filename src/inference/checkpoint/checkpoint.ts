/** A model on disk in any format we read: a folder in Hugging Face layout, or a GGUF file that holds everything. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { Type } from 'typebox'
import type { WeightChoice } from '../graphs/linear.ts'
import { BinaryFile } from './binary-file.ts'
import { GENERATION_FILE, GenerationConfig } from './generation-config.ts'
import { configOf, MetadataReader } from './gguf/config.ts'
import { readHeader } from './gguf/header.ts'
import { tokenizerConfigOf, tokenizerOf } from './gguf/tokenizer.ts'
import { GgufSource, refuseUnknown } from './gguf/weights.ts'
import { readJson, readOptionalJson } from './json-file.ts'
import { parseModelConfig, type ModelConfig } from './model-config.ts'
import { findExport, hasExport } from './onnx-export.ts'
import { openSafetensors } from './safetensors.ts'
import { badModelFile, type TensorSource } from './tensor-source.ts'
import { TokenizerConfig, TokenizerFile } from './tokenizer-file.ts'

/** Everything is read when it is asked for. @throws RefineError model_failed naming the file that is wrong. */
export interface Checkpoint {
  /** The folder or file, for errors. */
  readonly path: string
  config(): ModelConfig
  tokenizer(): TokenizerFile
  tokenizerConfig(): TokenizerConfig
  /** The caller closes them. */
  weights(): TensorSource
  /** The ONNX file to run where there are no weights to make a graph of; undefined where there are. */
  exported(weights: WeightChoice): string | undefined
}

const TEMPLATE_FILE = 'chat_template.jinja'

const folderTokenizerConfig = (folder: string): TokenizerConfig => {
  const config = readJson(folder, 'tokenizer_config.json', TokenizerConfig)
  const file = path.join(folder, TEMPLATE_FILE)
  return existsSync(file) ? { ...config, chat_template: readFileSync(file, 'utf8') } : config
}

/** What of the configuration matters to an export, which brings its own architecture: sizes. */
const sizesOf = (config: object): object => ({
  rms_norm_eps: 1,
  intermediate_size: 1,
  ...config,
  model_type: 'llama',
  hidden_act: 'silu',
  rope_scaling: null,
  rope_parameters: null,
  partial_rotary_factor: null,
  quantization_config: null,
  sliding_window: null,
})

const folderConfig = (folder: string, onlyExport: boolean): ModelConfig => {
  const generation = readOptionalJson(folder, GENERATION_FILE, GenerationConfig)
  const config = readJson(folder, 'config.json', Type.Object({}))
  const file = path.join(folder, 'config.json')
  return parseModelConfig(file, onlyExport ? sizesOf(config) : config, generation)
}

const folderCheckpoint = (folder: string, onlyExport: boolean): Checkpoint => ({
  path: folder,
  config: () => folderConfig(folder, onlyExport),
  tokenizer: () => readJson(folder, 'tokenizer.json', TokenizerFile),
  tokenizerConfig: () => folderTokenizerConfig(folder),
  weights: () => openSafetensors(folder),
  exported: (weights) => (onlyExport ? findExport(folder, weights) : undefined),
})

const frequencyDivisors = (source: TensorSource, reader: MetadataReader) => {
  const shape = reader.header.tensors.get('rope_freqs.weight')?.shape
  return shape && [...source.read('rope_freqs.weight', shape)]
}

const readGguf = (file: string): MetadataReader => {
  const binary = new BinaryFile(file, 'GGUF')
  try {
    return new MetadataReader(file, readHeader(binary))
  } finally {
    binary.close()
  }
}

const ggufCheckpoint = (file: string): Checkpoint => {
  const reader = readGguf(file)
  const plain = new GgufSource(file, reader.header, undefined)
  let config: ModelConfig
  try {
    config = parseModelConfig(file, configOf(reader, frequencyDivisors(plain, reader)))
    refuseUnknown(file, reader.header, config.decoder)
  } finally {
    plain.close()
  }
  const interleaved = reader.text('general.architecture') === 'llama' ? config.decoder : undefined
  return {
    path: file,
    config: () => config,
    tokenizer: () => tokenizerOf(reader),
    tokenizerConfig: () => tokenizerConfigOf(reader),
    weights: () => new GgufSource(file, reader.header, interleaved),
    exported: () => undefined,
  }
}

/**
 * Opens a folder or a GGUF file; a folder without safetensors may hold one GGUF file instead.
 * @throws RefineError model_failed when there is neither, or the file is damaged.
 */
export const openCheckpoint = (location: string): Checkpoint => {
  const status = statSync(location, { throwIfNoEntry: false })
  if (status === undefined)
    throw badModelFile(location, 'expected a folder with a model, or a GGUF file')
  if (status.isFile()) return ggufCheckpoint(location)
  const names = readdirSync(location)
  const files = names.filter((name) => name.endsWith('.gguf'))
  if (files.length === 0 || names.includes('config.json')) {
    const hasWeights = names.some((name) => name.includes('.safetensors'))
    return folderCheckpoint(location, !hasWeights && hasExport(location))
  }
  if (files.length > 1)
    throw badModelFile(location, `expected one GGUF file, found ${files.toSorted().join(', ')}`)
  return ggufCheckpoint(path.join(location, files[0]!))
}
