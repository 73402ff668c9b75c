/** A linear layer in the weight format that was chosen. */
import { toHalf } from '../checkpoint/float-formats.ts'
import type { DecoderShape } from '../checkpoint/model-config.ts'
import { CONTRIB, type GraphBuilder } from './graph-builder.ts'
import { PreparedWeights } from './prepared-weights.ts'
import { quantiseColumns, quantiseNibbles } from './quantisation.ts'

/**
 * fp16: halves; a CPU computes with their values as fp32. int8: a scale per output, inputs quantised as they come.
 * int4: a scale and a zero point per 32 weights.
 */
export const WEIGHT_FORMATS = ['fp32', 'fp16', 'int8', 'int4'] as const
export type WeightFormat = (typeof WEIGHT_FORMATS)[number]

/** `auto`: see `chooseFormat`. */
export type WeightChoice = 'auto' | WeightFormat

/** From this many weights on a step waits for memory rather than for the processor. */
const LARGE = 50_000_000

/** int8 for models that do not fit into a processor's cache, fp32 for those that do: these gain nothing. */
export const chooseFormat = (choice: WeightChoice, shape: DecoderShape): WeightFormat => {
  if (choice !== 'auto') return choice
  const { layers, hidden, heads, keyValueHeads, headSize, intermediate, vocabulary } = shape
  const perLayer = hidden * (2 * heads * headSize + 2 * keyValueHeads * headSize + 3 * intermediate)
  return layers * perLayer + vocabulary * hidden >= LARGE ? 'int8' : 'fp32'
}

export interface Linear {
  readonly name: string
  readonly input: string
  readonly inputs: number
  readonly outputs: number
  /** Reads the values, of shape (outputs, inputs) as checkpoints store them. */
  readonly weight: () => Float32Array
  readonly bias: (() => Float32Array) | undefined
}

type AddLinear = (
  builder: GraphBuilder,
  linear: Linear,
  bias: readonly string[],
  prepared: PreparedWeights,
) => string

const addBias = (builder: GraphBuilder, product: string, bias: readonly string[]): string =>
  bias.length === 0 ? product : builder.node('Add', [product, bias[0]!])

const addFull: AddLinear = (builder, linear, bias, prepared) => {
  const { name, input, inputs, outputs, weight } = linear
  const values = builder.weight(name, prepared.take(name, weight), [outputs, inputs])
  return builder.node('Gemm', [input, values, ...bias], { attributes: { transB: 1 } })
}

const addHalf: AddLinear = (builder, linear, bias, prepared) => {
  const { name, input, inputs, outputs, weight } = linear
  const halves = prepared.take(name, () => toHalf(weight()))
  const values = builder.weight(name, halves, [outputs, inputs])
  const product = builder.node('Gemm', [builder.cast(input, 'float16'), values], {
    attributes: { transB: 1 },
  })
  return addBias(builder, builder.cast(product, 'float32'), bias)
}

/** Steps on either side of zero for a quantised input. */
const STEPS = 127

/**
 * The inputs of each position get a scale of their own. With one for the whole run, as the runtime's fused operator has
 * it, the few huge inputs of the first positions (Sun et al. 2024, arXiv:2402.17762) leave hardly a bit to the others.
 */
const addBytes: AddLinear = (builder, linear, bias, prepared) => {
  const { name, input, inputs, outputs, weight } = linear
  const { values, scales } = prepared.take(name, () => quantiseColumns(weight(), inputs))
  const largest = builder.node('ReduceMax', [builder.node('Abs', [input])], {
    attributes: { axes: [-1] },
  })
  const extent = builder.node('Max', [largest, builder.floats([1e-30], [])])
  const parts = [
    builder.node('QuantizeLinear', [
      builder.node('Div', [input, extent]),
      builder.floats([1 / STEPS], []),
      builder.byte(128),
    ]),
    builder.weight(name, values, [inputs, outputs]),
    builder.floats([1 / STEPS], []),
    builder.weight(`${name}.scale`, scales, [outputs]),
    builder.byte(128),
  ]
  const product = builder.node('MatMulIntegerToFloat', parts, { domain: CONTRIB })
  return addBias(builder, builder.node('Mul', [product, extent]), bias)
}

const BLOCK = 32
/** The runtime multiplies in 8 bits, with a scale per block of the input. */
const MULTIPLY_BYTES = 4

const addNibbles: AddLinear = (builder, linear, bias, prepared) => {
  const { name, input, inputs, outputs, weight } = linear
  const { values, scales, zeros } = prepared.take(name, () =>
    quantiseNibbles(weight(), inputs, BLOCK),
  )
  const blocks = Math.ceil(inputs / BLOCK)
  const parts = [
    input,
    builder.weight(name, values, [outputs, blocks, BLOCK / 2]),
    builder.weight(`${name}.scale`, scales, [outputs * blocks]),
    builder.weight(`${name}.zero`, zeros, [zeros.length]),
  ]
  const attributes = {
    K: inputs,
    N: outputs,
    bits: 4,
    block_size: BLOCK,
    accuracy_level: MULTIPLY_BYTES,
  }
  const product = builder.node('MatMulNBits', parts, { domain: CONTRIB, attributes })
  return addBias(builder, product, bias)
}

const WRITERS: Readonly<Record<WeightFormat, AddLinear>> = {
  fp32: addFull,
  fp16: addHalf,
  int8: addBytes,
  int4: addNibbles,
}

/** Adds input [T, inputs] times the transposed weight, plus the bias; returns the name of [T, outputs]. */
export const addLinear = (
  builder: GraphBuilder,
  format: WeightFormat,
  linear: Linear,
  prepared = new PreparedWeights(),
): string => {
  const { name, outputs, bias } = linear
  const offset =
    bias === undefined
      ? []
      : [builder.weight(`${name}.bias`, prepared.take(`${name}.bias`, bias), [outputs])]
  return WRITERS[format](builder, linear, offset, prepared)
}
