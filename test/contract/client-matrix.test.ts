/**
 * What we send as chat completions against what real, unmodified clients make of it, in every mode of showing the work;
 * and what we never send, because one of them would break on it.
 */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { streamText, type LanguageModel } from 'ai'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { SHOW_MODES } from '../../src/http/compat/reasoning-text.ts'
import { type Body, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'
import { post } from '../support/sse-client.ts'

const model = 'pebble:best-of-n'
const prompt = 'What is 6 × 7?'
const messages = [{ role: 'user' as const, content: prompt }]

/** What a client has shown, in the order in which it came. */
interface Seen {
  readonly pieces: { readonly kind: 'text' | 'reasoning'; readonly text: string }[]
  /** What it thought was wrong, undefined when nothing was. */
  readonly error?: string | undefined
}

type Headers = Readonly<Record<string, string>>
type Client = (baseURL: string, headers: Headers) => Promise<Seen>

const textOf = ({ pieces }: Seen, wanted: 'text' | 'reasoning'): string =>
  pieces.map(({ kind, text }) => (kind === wanted ? text : '')).join('')

const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : JSON.stringify(thrown)

/** Collects what `read` tells until it ends or throws. */
const collect = async (
  read: (tell: (kind: 'text' | 'reasoning', text: unknown) => void) => Promise<void>,
): Promise<Seen> => {
  const pieces: Seen['pieces'] = []
  try {
    await read((kind, text) => {
      if (typeof text === 'string' && text !== '') pieces.push({ kind, text })
    })
  } catch (error) {
    return { pieces, error: messageOf(error) }
  }
  return { pieces }
}

const openAi = (Version: unknown, baseURL: string, defaultHeaders: Headers): OpenAI6 =>
  new (Version as typeof OpenAI6)({ baseURL, apiKey: 'none', maxRetries: 0, defaultHeaders })

const created =
  (Version: unknown): Client =>
  (baseURL, headers) =>
    collect(async (tell) => {
      const client = openAi(Version, baseURL, headers)
      const stream_options = { include_usage: true }
      const body = { model, messages, stream: true, stream_options } as const
      for await (const { choices } of await client.chat.completions.create(body)) {
        const delta = choices[0]?.delta as Record<string, unknown> | undefined
        tell('reasoning', delta?.['reasoning_content'])
        assert.equal(
          delta?.['reasoning_content'],
          delta?.['reasoning'],
          'the same under both names',
        )
        tell('text', delta?.['content'])
      }
    })

const helped =
  (Version: unknown): Client =>
  (baseURL, headers) =>
    collect(async (tell) => {
      const client = openAi(Version, baseURL, headers)
      const helper = client.chat.completions.stream({ model, messages })
      tell('text', (await helper.finalChatCompletion()).choices[0]?.message.content)
    })

const aiSdk =
  (provide: (baseURL: string, headers: Headers) => LanguageModel): Client =>
  (baseURL, headers) =>
    collect(async (tell) => {
      const onError = (): void => undefined
      const asked = { model: provide(baseURL, headers), prompt, maxRetries: 0, onError }
      for await (const part of streamText(asked).fullStream) {
        if (part.type === 'text-delta') tell('text', part.text)
        if (part.type === 'reasoning-delta') tell('reasoning', part.text)
        if (part.type === 'error') throw part.error
      }
    })

const langChain: Client = (baseURL, defaultHeaders) =>
  collect(async (tell) => {
    const configuration = { baseURL, defaultHeaders }
    const chat = new ChatOpenAI({ model, apiKey: 'none', configuration, maxRetries: 0 })
    for await (const chunk of await chat.stream(prompt)) {
      tell('reasoning', chunk.additional_kwargs['reasoning_content'])
      tell('text', chunk.text)
    }
  })

const CLIENTS: Readonly<Record<string, { readonly read: Client; readonly showsWork: boolean }>> = {
  'openai 6': { read: created(OpenAI6), showsWork: true },
  'openai 7': { read: created(OpenAI7), showsWork: true },
  'openai 6 stream()': { read: helped(OpenAI6), showsWork: false },
  'openai 7 stream()': { read: helped(OpenAI7), showsWork: false },
  'AI SDK compatible': {
    read: aiSdk((baseURL, headers) =>
      createOpenAICompatible({ name: 'refine', baseURL, headers, includeUsage: true })(model),
    ),
    showsWork: true,
  },
  'AI SDK openai.chat': {
    read: aiSdk((baseURL, headers) =>
      createOpenAI({ baseURL, apiKey: 'none', headers: { ...headers } }).chat(model),
    ),
    showsWork: false,
  },
  LangChain: { read: langChain, showsWork: true },
}

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}
const breaking = (): FakeRuns => new FakeRuns(scripted([...refinement.slice(0, 8), failed]))

const connect = async (t: TestContext, runs = new FakeRuns(), limits = {}): Promise<string> =>
  `${(await listen(t, runs, { limits })).url}/v1`

for (const [name, { read, showsWork }] of Object.entries(CLIENTS)) {
  test(`${name}: the answer alone is text, the work before it is told once, as much as is asked for`, async (t) => {
    const baseURL = await connect(t)
    const told: number[] = []
    for (const show of SHOW_MODES) {
      const seen = await read(baseURL, { 'x-refine-show': show })
      assert.equal(seen.error, undefined)
      assert.equal(textOf(seen, 'text'), 'It is 42.', show)
      const kinds = seen.pieces.map(({ kind }) => kind)
      assert.ok(kinds.lastIndexOf('reasoning') < kinds.indexOf('text'), 'no text before its work')
      const work = textOf(seen, 'reasoning')
      told.push(work.length)
      const times = work.split('Revision 2').length - 1
      assert.equal(times, showsWork && show !== 'none' ? 1 : 0, `${show}: ${work}`)
    }
    if (showsWork)
      assert.deepEqual(
        told,
        told.toSorted((one, other) => one - other),
      )
    assert.equal(told[0], 0, 'none shows nothing')
  })

  test(`${name}: an error in the middle is an error, and no draft was taken for the answer`, async (t) => {
    const seen = await read(await connect(t, breaking()), {})
    assert.match(seen.error ?? 'none', /Every draft failed/)
    assert.equal(textOf(seen, 'text'), '')
  })

  test(`${name}: comments between the chunks of a slow run change nothing`, async (t) => {
    const slow = new FakeRuns(async function* () {
      for (const body of refinement) {
        await pause(5)
        yield body
      }
    })
    const seen = await read(await connect(t, slow, { heartbeatSeconds: 0.002 }), {})
    assert.deepEqual([seen.error, textOf(seen, 'text')], [undefined, 'It is 42.'])
  })
}

const TOP = ['id', 'object', 'created', 'model', 'choices', 'usage', 'refine']
const DELTA = ['role', 'content', 'reasoning', 'reasoning_content', 'tool_calls']

interface Chunk {
  readonly object: string
  readonly choices: { index: number; delta: object; finish_reason: string | null }[]
}

/** The chunks of a stream, every line of which is one that all clients know. */
const chunksOf = async (baseURL: string, fields: object): Promise<Chunk[]> => {
  const body = { model, messages, stream: true, ...fields }
  const text = await (await fetch(`${baseURL}/chat/completions`, post(body))).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(':'))
  assert.equal(lines.shift(), 'retry: 2000')
  assert.ok(
    lines.every((line) => line.startsWith('data: ')),
    'no event has a name or an id',
  )
  const data = lines.map((line) => line.slice('data: '.length))
  if (data.at(-1) === '[DONE]') data.pop()
  else assert.match(data.pop() ?? '', /^\{"error":\{"message":"[^"]+","type":"\w+"/)
  return data.map((each) => JSON.parse(each) as Chunk)
}

const CALL = { id: 'c1', type: 'function' as const, function: { name: 'add', arguments: '{}' } }
const calling = refinement.map((body): Body => {
  if (body.type !== 'run.completed') return body
  return { ...body, answer: { ...body.answer!, text: '', tool_calls: [CALL] } }
})
const RUNS: Readonly<Record<string, () => FakeRuns>> = {
  'a run that completes': () => new FakeRuns(),
  'a run that fails': breaking,
  'a run that calls a tool': () => new FakeRuns(scripted(calling)),
}

for (const [name, make] of Object.entries(RUNS)) {
  test(`${name} is told in chunks of OpenAI’s alone, in every mode and for several choices`, async (t) => {
    const baseURL = await connect(t, make())
    for (const show of SHOW_MODES) {
      for (const n of [1, 2]) {
        const chunks = await chunksOf(baseURL, { n, refine: { show } })
        for (const chunk of chunks) {
          assert.equal(chunk.object, 'chat.completion.chunk')
          assert.deepEqual(
            Object.keys(chunk).filter((key) => !TOP.includes(key)),
            [],
          )
          assert.ok(chunk.choices.length <= 1)
          const [choice] = chunk.choices
          const keys = Object.keys(choice?.delta ?? {})
          assert.deepEqual(
            keys.filter((key) => !DELTA.includes(key)),
            [],
          )
          assert.ok((choice?.index ?? 0) < n)
        }
        const ends = chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])
        assert.ok(ends.length <= n, 'candidates are no choices')
      }
    }
  })
}

test('an answer that calls a tool is told at the end, and nobody runs it here', async (t) => {
  const baseURL = await connect(t, new FakeRuns(scripted(calling)))
  const parts = []
  const languageModel = createOpenAICompatible({ name: 'refine', baseURL })(model)
  for await (const part of streamText({ model: languageModel, prompt }).fullStream) parts.push(part)
  const types = parts.map(({ type }) => type)
  assert.ok(
    types.includes('tool-call') && types.lastIndexOf('reasoning-end') < types.indexOf('tool-call'),
  )
  const finish = parts.find((part) => part.type === 'finish')
  assert.equal(finish?.finishReason, 'tool-calls')
})
