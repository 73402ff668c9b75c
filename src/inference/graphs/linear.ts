/** A linear layer in the weight format that was chosen. */
import { CONTRIB, type GraphBuilder } from './graph-builder.ts'

/** `int8`: one scale per output, inputs quantised as they come; a quarter of the memory, less exact. */
export const WEIGHT_FORMATS = ['float32', 'int8'] as const
export type WeightFormat = (typeof WEIGHT_FORMATS)[number]

export interface Linear {
  readonly name: string
  readonly input: string
  readonly inputs: number
  /** Shape (outputs, inputs), as checkpoints store it. */
  readonly weight: Float32Array
  readonly bias: Float32Array | undefined
}

/** Seven bits: processors without VNNI add two products in 16 bits, which eight would overflow. */
const LARGEST = 63

/** Symmetric, per output; the values are transposed to (inputs, outputs). */
export const quantise = (
  weight: Float32Array,
  inputs: number,
): { readonly values: Int8Array; readonly scales: Float32Array } => {
  const outputs = weight.length / inputs
  const values = new Int8Array(weight.length)
  const scales = new Float32Array(outputs)
  for (let output = 0; output < outputs; output++) {
    const start = output * inputs
    let largest = 0
    for (let index = start; index < start + inputs; index++)
      largest = Math.max(largest, Math.abs(weight[index]!))
    const scale = largest / LARGEST || 1
    scales[output] = scale
    for (let input = 0; input < inputs; input++)
      values[input * outputs + output] = Math.round(weight[start + input]! / scale)
  }
  return { values, scales }
}

/** Adds input [T, inputs] times the transposed weight, plus the bias; returns the name of [T, outputs]. */
export const addLinear = (builder: GraphBuilder, format: WeightFormat, linear: Linear): string => {
  const { name, input, inputs, weight, bias } = linear
  const outputs = weight.length / inputs
  const offset = bias === undefined ? [] : [builder.weight(`${name}.bias`, bias, [outputs])]
  if (format === 'float32') {
    const values = builder.weight(name, weight, [outputs, inputs])
    return builder.node('Gemm', [input, values, ...offset], { attributes: { transB: 1 } })
  }
  const { values, scales } = quantise(weight, inputs)
  return builder.node(
    'DynamicQuantizeMatMul',
    [
      input,
      builder.weight(name, values, [inputs, outputs]),
      builder.weight(`${name}.scale`, scales, [outputs]),
      '', // no zero points: the weights are symmetric
      ...offset,
    ],
    { domain: CONTRIB },
  )
}
