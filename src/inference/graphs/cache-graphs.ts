/** Graphs that move keys and values about in the memory of a device. */
import { GraphBuilder, type OnnxModel } from './graph-builder.ts'

/**
 * Copies lines of H numbers, the same for every part.
 *
 * Inputs: from int64 [M] and to int64 [M, 1] name lines; source.N [L, H], target.N [T, H] for each of the parts.
 * Outputs: moved.N [T, H], which may be the memory of target.N: nothing else of it is written then.
 */
export const writeMovingGraph = (parts: number, headSize: number): OnnxModel => {
  const builder = new GraphBuilder()
  const from = builder.input('from', 'int64', ['M'])
  const to = builder.input('to', 'int64', ['M', 1])
  for (let part = 0; part < parts; part++) {
    const source = builder.input(`source.${part}`, 'float32', ['L', headSize])
    const target = builder.input(`target.${part}`, 'float32', ['T', headSize])
    const lines = builder.node('Gather', [source, from])
    const moved = builder.node('ScatterND', [target, to, lines])
    builder.output(`moved.${part}`, moved, 'float32', ['T', headSize])
  }
  return builder.build()
}

/** Input: lines int64 [1]. Output: zeros [lines, H]. */
export const writeClearingGraph = (headSize: number): OnnxModel => {
  const builder = new GraphBuilder()
  const lines = builder.input('lines', 'int64', [1])
  const shape = builder.node('Concat', [lines, builder.integers([headSize])], {
    attributes: { axis: 0 },
  })
  const zeros = builder.node('Expand', [builder.floats([0]), shape])
  builder.output('zeros', zeros, 'float32', ['T', headSize])
  return builder.build()
}
