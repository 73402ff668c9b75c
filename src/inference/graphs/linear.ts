/** A linear layer in the weight format that was chosen. */
import type { GraphBuilder } from './graph-builder.ts'

export type WeightFormat = 'float32'

export interface Linear {
  readonly name: string
  readonly input: string
  readonly inputs: number
  /** Shape (outputs, inputs), as checkpoints store it. */
  readonly weight: Float32Array
  readonly bias: Float32Array | undefined
}

/** Adds input [T, inputs] times the transposed weight, plus the bias; returns the name of [T, outputs]. */
export const addLinear = (builder: GraphBuilder, _format: WeightFormat, linear: Linear): string => {
  const { name, input, inputs, weight, bias } = linear
  const outputs = weight.length / inputs
  const operands = [input, builder.weight(name, weight, [outputs, inputs])]
  if (bias !== undefined) operands.push(builder.weight(`${name}.bias`, bias, [outputs]))
  return builder.node('Gemm', operands, { attributes: { transB: 1 } })
}
