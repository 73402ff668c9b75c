/** A count of tokens, as both OpenAI's and Anthropic's clients read it. */
import { Type } from 'typebox'
import type { TokenCount } from '../../runs/run-service.ts'

export const TOKEN_COUNT = {
  input_tokens: Type.Integer({ minimum: 0 }),
  refine: Type.Object({
    exact: Type.Boolean({
      description:
        'Counted by the model’s own tokenizer and chat template. False for upstreams, of which only an estimate is known (a ' +
        'token for three bytes, rather too high), and for prompts longer than the context, which may have still more.',
    }),
  }),
}

export const toTokenCount = ({ input_tokens, exact }: TokenCount) => ({
  input_tokens,
  refine: { exact },
})
