/** Counting tokens beforehand, by the clients of OpenAI and Anthropic: what is told is what a run then takes. */
import assert from 'node:assert/strict'
import test from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { writeFamily } from '../models/onnx/templates.ts'
import { listen } from '../support/http-server.ts'
import { serveScripted, WEATHER } from './real-server.ts'

const MODELS = `
  - { id: caller, adapter: onnx, folder: ${writeFamily('qwen')}, threads: 1 }
  - { id: remote, adapter: openai-compatible, base_url: 'http://127.0.0.1:9/v1', upstream_model: any }
`
const FUNCTION = { ...WEATHER.function, type: 'function' as const, strict: false }
const { name, description, parameters } = WEATHER.function
const TOOL = { name, description, input_schema: { ...parameters, type: 'object' as const } }
const user = (content: string) => [{ role: 'user' as const, content }]

const connect = async (t: Parameters<typeof serveScripted>[0]) => {
  const { url, baseURL } = await serveScripted(t, MODELS)
  const options = { apiKey: 'none', maxRetries: 0 }
  return {
    url,
    anthropic: new Anthropic({ baseURL: url, ...options }),
    openai: [OpenAI6, OpenAI7 as unknown as typeof OpenAI6].map(
      (Client) => new Client({ baseURL, ...options }),
    ),
  }
}

test('an embedded model counts exactly what a message takes, tools and instructions included', async (t) => {
  const { anthropic } = await connect(t)
  const plain = { model: 'caller', messages: user('Weather in Rome?') }
  const counts: number[] = []
  for (const more of [{}, { system: 'Be brief.' }, { system: 'Be brief.', tools: [TOOL] }]) {
    const asked = { ...plain, ...more }
    const { input_tokens } = await anthropic.messages.countTokens(asked)
    const { usage } = await anthropic.messages.create({ ...asked, max_tokens: 1 })
    assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens!)
    assert.equal((await anthropic.beta.messages.countTokens(asked)).input_tokens, input_tokens)
    counts.push(input_tokens)
  }
  assert.ok(counts[0]! < counts[1]! && counts[1]! < counts[2]!, String(counts))
})

test('an embedded model counts exactly what a response takes, earlier ones included', async (t) => {
  const { openai } = await connect(t)
  for (const client of openai) {
    const first = { model: 'caller', input: 'Weather in Rome?', tools: [FUNCTION] }
    const counted = await client.responses.inputTokens.count(first)
    const made = await client.responses.create({ ...first, max_output_tokens: 1 })
    assert.equal(counted.object, 'response.input_tokens')
    assert.equal(counted.input_tokens, made.usage?.input_tokens)
    const next = { model: 'caller', input: 'And in Paris?', instructions: 'Be brief.' }
    const later = { ...next, previous_response_id: made.id }
    const alone = await client.responses.inputTokens.count(next)
    const whole = await client.responses.inputTokens.count({ ...later, personality: 'friendly' })
    const taken = await client.responses.create({ ...later, max_output_tokens: 1 })
    assert.equal(whole.input_tokens, taken.usage?.input_tokens)
    assert.ok(whole.input_tokens > alone.input_tokens)
  }
})

test('a count says whether it is exact, and is told beyond the context, too', async (t) => {
  const { url, anthropic } = await connect(t)
  const count = (model: string, text: string) =>
    anthropic.messages.countTokens({ model, messages: user(text) }) as Promise<object>
  // Nobody listens there: for an estimate nobody has to.
  assert.deepEqual(await count('remote', 'abc'), { input_tokens: 8, refine: { exact: false } })
  const { refine } = (await count('caller', 'abc')) as { refine: object }
  assert.deepEqual(refine, { exact: true })
  const models = (await (await fetch(`${url}/v1/models`)).json()) as {
    data: { id: string; context_length: number }[]
  }
  const { context_length } = models.data.find(({ id }) => id === 'caller')!
  const long = (await count('caller', 'word '.repeat(context_length * 20))) as {
    input_tokens: number
    refine: object
  }
  assert.ok(long.input_tokens > context_length)
  assert.deepEqual(long.refine, { exact: false })
})

test('what cannot be counted is refused as the request itself would be', async (t) => {
  const { anthropic, openai } = await connect(t)
  const unknown = anthropic.messages.countTokens({ model: 'granite', messages: user('a') })
  await assert.rejects(unknown, (error: unknown) => {
    assert.ok(error instanceof Anthropic.NotFoundError)
    assert.equal(error.type, 'not_found_error')
    return true
  })
  for (const client of openai)
    await assert.rejects(client.responses.inputTokens.count(), (error: unknown) => {
      assert.ok((error as { status?: number }).status === 400 && error instanceof Error)
      assert.match(error.message, /\/input/)
      return true
    })
})

test('what is nowhere below the messages is told in Anthropic’s form, elsewhere in OpenAI’s', async (t) => {
  const { url } = await listen(t)
  const ask = async (path: string, method = 'GET') => {
    const reply = await fetch(`${url}${path}`, { method })
    const body = (await reply.json()) as {
      type: string
      error: { type: string; code?: string; param?: string | null }
    }
    return { status: reply.status, allow: reply.headers.get('allow'), ...body }
  }
  for (const path of ['/v1/messages/batches', '/v1/messages/batches/b1?limit=3']) {
    const { status, type, error } = await ask(path, 'POST')
    assert.deepEqual([status, type, error.type], [404, 'error', 'not_found_error'])
  }
  const { status, type, allow, error } = await ask('/v1/messages/count_tokens')
  assert.deepEqual([status, type, allow], [405, 'error', 'POST'])
  assert.equal(error.type, 'invalid_request_error')
  for (const path of ['/v1/messagesx', '/v1/assistants', '/v1/responses/input_tokens/a']) {
    const { error } = await ask(path, 'POST')
    assert.deepEqual([error.code, error.param], ['not_found', null], path)
  }
})
