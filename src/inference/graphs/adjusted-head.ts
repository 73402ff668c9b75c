/**
 * The choice of the next token for rows whose logits are changed first, as a graph of its own: rows that ask for neither
 * penalties nor a constraint pay nothing for those that do.
 *
 * Inputs, for C of R rows:
 *   own_logits  float32 [R, vocabulary]  as the token head returns them
 *   rows        int64 [C]
 *   tokens      int64 [C, P]             tokens with a penalty; one that is named twice must be given the same twice
 *   repetition  float32 [C, 1]           divides positive logits of `tokens`, multiplies negative ones
 *   subtracted  float32 [C, P]           subtracted from the logits of `tokens`
 *   allowed     bool [C, vocabulary] or [C, 1]
 *   temperature, uniform, top_count      as of the token head
 * Outputs: drawn, drawn_logit, top_logits, top_tokens, scaled_mass and logits of the token head, for the changed logits.
 */
import { GraphBuilder, type OnnxModel } from './graph-builder.ts'
import { addChoice, addChoiceInputs, ALONG_VOCABULARY, gather } from './token-head.ts'

export const writeAdjustedHead = (vocabulary: number): OnnxModel => {
  const builder = new GraphBuilder()
  const all = builder.input('own_logits', 'float32', ['R', vocabulary])
  const rows = builder.input('rows', 'int64', ['C'])
  const tokens = builder.input('tokens', 'int64', ['C', 'P'])
  const repetition = builder.input('repetition', 'float32', ['C', 1])
  const subtracted = builder.input('subtracted', 'float32', ['C', 'P'])
  const allowed = builder.input('allowed', 'bool', ['C', 'ALLOWED'])
  const inputs = addChoiceInputs(builder, 'C')

  const own = builder.node('Gather', [all, rows])
  const used = gather(builder, own, tokens)
  const repeated = builder.node('Where', [
    builder.node('Less', [used, builder.floats([0], [])]),
    builder.node('Mul', [used, repetition]),
    builder.node('Div', [used, repetition]),
  ])
  const penalised = builder.node('Sub', [repeated, subtracted])
  const changed = builder.node('ScatterElements', [own, tokens, penalised], ALONG_VOCABULARY)
  const logits = builder.node('Where', [allowed, changed, builder.floats([-Infinity], [])])
  addChoice(builder, logits, inputs, vocabulary, 'C')
  builder.output('logits', logits, 'float32', ['C', vocabulary])
  return builder.build()
}
