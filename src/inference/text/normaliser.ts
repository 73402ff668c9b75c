/** Normalisers of `tokenizer.json`: the tokenizer library's, but for the one of SentencePiece, which it only comes near to. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { Precompiled } from './precompiled.ts'
import type { InPieces } from './word-model.ts'

interface Step {
  readonly type: string
  readonly normalizers?: readonly Step[]
  readonly precompiled_charsmap?: string
}

type Normalise = (text: string) => InPieces<string>

const stepOf = (step: Step): Normalise => {
  if (step.type === 'Precompiled') {
    const precompiled = new Precompiled(step.precompiled_charsmap ?? '')
    return (text) => precompiled.normalise(text)
  }
  const model = { type: 'BPE', vocab: {}, merges: [] }
  const parts = {
    model,
    decoder: null,
    post_processor: null,
    pre_tokenizer: null,
    added_tokens: [],
  }
  const { normalizer } = new HuggingFaceTokenizer({ ...parts, normalizer: step }, {})
  // oxlint-disable-next-line require-yield -- in one piece
  return function* (text) {
    return normalizer!.normalize(text)
  }
}

const stepsOf = (step: Step): readonly Step[] =>
  step.type === 'Sequence' ? (step.normalizers ?? []).flatMap(stepsOf) : [step]

/** @throws Error for a normaliser that is not known. */
export const readNormaliser = (given: unknown): Normalise => {
  const steps = given == null ? [] : stepsOf(given as Step).map(stepOf)
  return function* (text) {
    let normal = text
    for (const step of steps) normal = yield* step(normal)
    return normal
  }
}
