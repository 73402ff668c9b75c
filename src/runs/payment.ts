/** What a call that was paid for beforehand took in the end, from its chunks as they pass. */
import type { GenerationChunk } from '../core/language-model.ts'

export interface Tally {
  inputTokens: number
  cachedTokens: number
  /** Per sample, so that a sample that was cut off counts what it had. */
  readonly outputTokens: number[]
}

const count = (tally: Tally, chunk: GenerationChunk): void => {
  if (chunk.type === 'usage') {
    tally.inputTokens = chunk.inputTokens
    tally.cachedTokens = chunk.cachedTokens
  } else if (chunk.type === 'finish') {
    tally.outputTokens[chunk.sample] = chunk.outputTokens
  } else if (chunk.type === 'tool_call') {
    const { length } = chunk.call.function.arguments
    tally.outputTokens[chunk.sample] =
      (tally.outputTokens[chunk.sample] ?? 0) + Math.ceil(length / 4)
  } else if (chunk.type === 'delta') {
    const tokens = chunk.tokens?.length ?? 1
    tally.outputTokens[chunk.sample] = (tally.outputTokens[chunk.sample] ?? 0) + tokens
  }
}

export interface Payment {
  readonly tally: Tally
  readonly settle: () => void
}

/**
 * The chunks as they come, counted; the call is settled when they end, or when nobody takes more of them. Not a generator,
 * which would make several promises for each of them.
 */
export const counted = (
  source: AsyncIterable<GenerationChunk>,
  { tally, settle }: Payment,
): AsyncIterableIterator<GenerationChunk> => {
  const chunks = source[Symbol.asyncIterator]()
  let isSettled = false
  const end = (): void => {
    if (!isSettled) settle()
    isSettled = true
  }
  const pass = (result: IteratorResult<GenerationChunk>): IteratorResult<GenerationChunk> => {
    if (result.done === true) end()
    else count(tally, result.value)
    return result
  }
  const fail = (cause: unknown): never => {
    end()
    throw cause
  }
  return {
    next: () => chunks.next().then(pass, fail),
    return: async () => {
      try {
        await chunks.return?.()
      } finally {
        end()
      }
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
