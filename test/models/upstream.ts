/** An upstream on loopback that behaves as badly as a test tells it to. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { GenerationChunk, GenerationRequest } from '../../src/core/language-model.ts'
import {
  createOpenAICompatibleModel,
  type OpenAICompatibleOptions,
} from '../../src/models/openai-compatible.ts'

export interface Seen {
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

export type Answer = (response: ServerResponse, seen: Seen, call: number) => void | Promise<void>

export interface Upstream {
  readonly baseUrl: string
  readonly seen: Seen[]
  /** Sockets that were ever opened. */
  connections(): number
}

const readJson = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  let text = ''
  for await (const part of request.setEncoding('utf8')) text += String(part)
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

/** Listens until the test ends. `answer` gets the number of the call, counted from 1. */
export const startUpstream = async (t: TestContext, answer: Answer): Promise<Upstream> => {
  const seen: Seen[] = []
  let connections = 0
  const server = http.createServer((request, response) => {
    void readJson(request).then((body) => {
      const entry = { url: request.url ?? '', headers: request.headers, body }
      seen.push(entry)
      return answer(response, entry, seen.length)
    })
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { baseUrl: `http://127.0.0.1:${port}/v1`, seen, connections: () => connections }
}

export const FAST = {
  retries: { limit: 2, baseMs: 1, maxMs: 2 },
  timeouts: { connectMs: 1000, firstByteMs: 2000, betweenBytesMs: 2000 },
}

export const createModel = (
  t: TestContext,
  upstream: { readonly baseUrl: string },
  options: Partial<OpenAICompatibleOptions> = {},
) => {
  const model = createOpenAICompatibleModel({
    id: 'remote',
    baseUrl: upstream.baseUrl,
    upstreamModel: 'some-name',
    ...FAST,
    ...options,
  })
  t.after(() => model.close())
  return model
}

export const ask = (changes: Partial<GenerationRequest> = {}): GenerationRequest => ({
  messages: [{ role: 'user', content: 'What is 6 times 7?' }],
  samples: 1,
  sampling: {},
  seed: 7,
  ...changes,
})

export const collect = async (
  chunks: AsyncIterable<GenerationChunk>,
): Promise<GenerationChunk[]> => {
  const all: GenerationChunk[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}

export const NEVER = new AbortController().signal

export const textOf = (chunks: readonly GenerationChunk[], sample = 0): string =>
  chunks
    .map((chunk) => (chunk.type === 'delta' && chunk.sample === sample ? chunk.text : ''))
    .join('')

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

export const delta = (content: string, index = 0, more: object = {}): string =>
  event({ choices: [{ index, delta: { content }, ...more }] })

export const finish = (reason: string, index = 0, more: object = {}): string =>
  event({ choices: [{ index, delta: {}, finish_reason: reason, ...more }] })

export const usage = (prompt: number, completion: number, cached = 0): string =>
  event({
    choices: [],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      prompt_tokens_details: { cached_tokens: cached },
    },
  })

export const DONE = 'data: [DONE]\n\n'

export const stream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream' })
