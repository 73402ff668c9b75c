/** The chunks of a call with tools: what the samples wrote, with their tool calls taken out of the text. */
import type { GenerationChunk } from '../../core/language-model.ts'
import type { WorkerChunk } from '../../inference/protocol.ts'
import type { CallFormat } from './call-format.ts'
import { CallReader, type Piece } from './call-reader.ts'

const MALFORMED = {
  code: 'tool_call_malformed',
  message: 'The model began a tool call that cannot be read; it is left in the text.',
} as const

type Finish = Extract<GenerationChunk, { readonly type: 'finish' }>

/** Ends of their own accord are ends by calls where there are any. */
const withCalls = (finish: Finish): Finish =>
  finish.reason.unified === 'stop'
    ? { ...finish, reason: { ...finish.reason, unified: 'tool_calls' } }
    : finish

class SampleReader {
  readonly #sample: number
  readonly #reader: CallReader
  #calls = 0

  constructor(sample: number, format: CallFormat, names: readonly string[]) {
    this.#sample = sample
    this.#reader = new CallReader(format, names)
  }

  read(chunk: Extract<WorkerChunk, { readonly type: 'delta' }>): GenerationChunk[] {
    const { text, tokens } = chunk
    const pieces = this.#reader.push({ text, tokens: tokens ?? [] })
    return pieces.map((piece) => this.#chunk(piece, tokens !== undefined))
  }

  end(finish: Finish): GenerationChunk[] {
    const chunks = this.#reader
      .end()
      .map((piece) => this.#chunk(piece, finish.logProbability !== undefined))
    return [...chunks, this.#calls > 0 ? withCalls(finish) : finish]
  }

  #chunk(piece: Piece, hasTokens: boolean): GenerationChunk {
    const sample = this.#sample
    switch (piece.type) {
      case 'text':
        return {
          type: 'delta',
          sample,
          text: piece.text,
          ...(hasTokens && { tokens: piece.tokens }),
        }
      case 'call':
        this.#calls++
        return { type: 'tool_call', sample, call: piece.call }
      case 'malformed':
        return { type: 'warning', ...MALFORMED }
    }
  }
}

/** @param names of the tools that the model was told of */
export async function* readToolCalls(
  chunks: AsyncIterable<WorkerChunk>,
  format: CallFormat,
  names: readonly string[],
): AsyncGenerator<GenerationChunk, void, void> {
  const readers = new Map<number, SampleReader>()
  const readerOf = (sample: number): SampleReader => {
    const reader = readers.get(sample) ?? new SampleReader(sample, format, names)
    readers.set(sample, reader)
    return reader
  }
  for await (const chunk of chunks) {
    if (chunk.type === 'delta') yield* readerOf(chunk.sample).read(chunk)
    else if (chunk.type === 'finish') yield* readerOf(chunk.sample).end(chunk)
    else yield chunk
  }
}
