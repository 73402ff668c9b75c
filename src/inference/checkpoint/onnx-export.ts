/** Finds the ONNX file of a folder as the hub lays exports out: `onnx/model.onnx`, with a suffix per weight format. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { WeightChoice } from '../graphs/linear.ts'
import { badModelFile } from './tensor-source.ts'

const FULL = ['']
const BYTES = ['_quantized', '_int8', '_uint8']
const NIBBLES = ['_q4', '_bnb4']

/** Exports in halves have caches in halves too, which we do not hold. */
const SUFFIXES: Readonly<Record<WeightChoice, readonly string[]>> = {
  auto: [...FULL, ...BYTES, ...NIBBLES],
  fp32: FULL,
  fp16: [],
  int8: BYTES,
  int4: NIBBLES,
}

const exportsIn = (folder: string): string[] =>
  [path.join(folder, 'onnx'), folder]
    .filter((each) => existsSync(each))
    .flatMap((each) => readdirSync(each).map((name) => path.join(each, name)))
    .filter((file) => file.endsWith('.onnx'))

export const hasExport = (folder: string): boolean => exportsIn(folder).length > 0

/** @throws RefineError model_failed when none of the files is of the format that was asked for. */
export const findExport = (folder: string, weights: WeightChoice): string => {
  const files = exportsIn(folder)
  const wanted = SUFFIXES[weights].map((suffix) => `model${suffix}.onnx`)
  for (const name of wanted) {
    const file = files.find((each) => path.basename(each) === name)
    if (file !== undefined) return file
  }
  const found = files.map((file) => path.relative(folder, file)).join(', ')
  throw badModelFile(
    folder,
    `expected ${wanted.join(' or ') || 'safetensors'} for weights in ${weights}, found ${found}`,
  )
}
