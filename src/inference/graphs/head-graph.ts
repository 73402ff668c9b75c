/** The token head as a model of its own, behind a model that ends in logits; see `token-head.ts`. */
import { GraphBuilder, type OnnxModel } from './graph-builder.ts'
import { addTokenHead } from './token-head.ts'

/** Takes `given_logits` float32 [R, vocabulary] and what the token head takes. */
export const writeHeadGraph = (vocabulary: number, suppressed: readonly number[]): OnnxModel => {
  const builder = new GraphBuilder()
  const given = builder.input('given_logits', 'float32', ['R', vocabulary])
  addTokenHead(builder, builder.node('Identity', [given]), vocabulary, suppressed)
  return builder.build()
}
