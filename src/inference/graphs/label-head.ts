/**
 * Scores of labels at some positions, as reward models and judges of steps give them.
 *
 * Output: labels float32 [R, labels], raw: no softmax, no sigmoid.
 */
import type { TensorSource } from '../checkpoint/tensor-source.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { addLinear } from './linear.ts'

/** What the layer is called in the wild. */
const NAMES = ['score', 'classifier', 'v_head'] as const

/**
 * One linear layer, or two with a ReLU between them as Qwen's process reward models have (`score.0`, `score.2`). It is
 * never quantised: it is small, and its result is what is asked for.
 * @throws RefineError model_failed when there is neither.
 */
export const addLabelHead = (
  builder: GraphBuilder,
  weights: TensorSource,
  wanted: string,
  hidden: number,
  labels: number,
): void => {
  const layer = (name: string, input: string, outputs: number): string => {
    const has = weights.has(`${name}.bias`)
    return addLinear(builder, 'fp32', {
      name,
      input,
      inputs: hidden,
      outputs,
      weight: () => weights.read(`${name}.weight`, [outputs, hidden]),
      bias: has ? () => weights.read(`${name}.bias`, [outputs]) : undefined,
    })
  }
  const stacked = weights.has('score.0.weight')
  const input = stacked ? builder.node('Relu', [layer('score.0', wanted, hidden)]) : wanted
  const name = stacked ? 'score.2' : NAMES.find((each) => weights.has(`${each}.weight`))
  const scores = layer(name ?? NAMES[0], input, labels)
  builder.output('labels', scores, 'float32', ['R', labels])
}
