/** A deadline is no error on any surface: real clients get the answer so far, and are told that it was cut short. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import Anthropic from '@anthropic-ai/sdk'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, type LanguageModel, streamText } from 'ai'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { begun, type Body, FakeRuns, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const part = 'It is 4'
/** The deadline passed before a word was written. */
const MUTE: Body[] = [{ type: 'run.completed', answer: null, usage, stop_reason: 'deadline' }]
/** It passed in the middle of the first draft. */
const CUT: Body[] = [
  begun,
  { type: 'candidate.delta', candidate: 0, text: part },
  { type: 'answer.revised', revision: 1, candidate: 0, text: part, reason: 'partial', score: null },
  {
    type: 'run.completed',
    answer: { text: part, candidate: 0, revision: 1, score: null },
    usage,
    stop_reason: 'deadline',
  },
]

const CASES = [
  { name: 'before a word', model: 'pebble:single', script: MUTE, says: '' },
  { name: 'before a word of several drafts', model: 'pebble:best-of-n', script: MUTE, says: '' },
  { name: 'in the middle', model: 'pebble:single', script: CUT, says: part },
  { name: 'in the middle of several drafts', model: 'pebble:best-of-n', script: CUT, says: part },
] as const
type Case = (typeof CASES)[number]

const serve = async (t: TestContext, script: readonly Body[]) => {
  const { url } = await listen(t, new FakeRuns(scripted(script)))
  return { url, baseURL: `${url}/v1` }
}

const prompt = 'How many?'
const messages = [{ role: 'user' as const, content: prompt }]

const eachCase = (
  name: string,
  check: (server: { readonly baseURL: string; readonly url: string }, each: Case) => Promise<void>,
): void => {
  for (const each of CASES) {
    test(`${name}, cut ${each.name}`, async (t: TestContext) => {
      await check(await serve(t, each.script), each)
    })
  }
}

for (const [name, Client] of Object.entries({ 'openai 6': OpenAI6, 'openai 7': OpenAI7 })) {
  const open = (baseURL: string): OpenAI6 =>
    new (Client as typeof OpenAI6)({
      baseURL,
      apiKey: 'none',
      maxRetries: 0,
    })

  eachCase(`${name}: a chat completion, whole and streamed`, async ({ baseURL }, each) => {
    const { completions } = open(baseURL).chat
    const whole = await completions.create({ model: each.model, messages })
    const streamed = await completions.stream({ model: each.model, messages }).finalChatCompletion()
    for (const { choices } of [whole, streamed]) {
      assert.equal(choices[0]?.finish_reason, 'length')
      assert.equal(choices[0]?.message.content ?? '', each.says)
    }
    const { refine } = whole as unknown as { refine: Record<string, unknown> }
    assert.deepEqual([refine['status'], refine['stop_reason']], ['completed', 'deadline'])
  })

  eachCase(`${name}: a response, whole, streamed and retrieved`, async ({ baseURL }, each) => {
    const { responses } = open(baseURL)
    const whole = await responses.create({ model: each.model, input: prompt })
    const streamed = await responses.stream({ model: each.model, input: prompt }).finalResponse()
    for (const response of [whole, streamed, await responses.retrieve(whole.id)]) {
      assert.deepEqual([response.status, response.error], ['incomplete', null])
      assert.deepEqual(response.incomplete_details, { reason: 'max_output_tokens' })
      assert.equal(response.output_text, each.says)
    }
  })

  test(`${name}: what was cut short is not parsed as if it were whole`, async (t) => {
    const { baseURL } = await serve(t, MUTE)
    const schema = { type: 'object', properties: { answer: { type: 'string' } } }
    const parsing = open(baseURL).chat.completions.parse({
      model: 'pebble:single',
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
    })
    await assert.rejects(parsing, { name: 'Error', message: /length limit was reached/ })
  })
}

const aiModels: Readonly<Record<string, (baseURL: string, model: string) => LanguageModel>> = {
  'openai-compatible': (baseURL, model) =>
    createOpenAICompatible({ name: 'whetstone', baseURL })(model),
  openai: (baseURL, model) => createOpenAI({ baseURL, apiKey: 'none' }).responses(model),
  anthropic: (baseURL, model) => createAnthropic({ baseURL, apiKey: 'none' })(model),
}

for (const [name, modelOf] of Object.entries(aiModels)) {
  eachCase(`ai with @ai-sdk/${name}, whole and streamed`, async ({ baseURL }, each) => {
    const model = modelOf(baseURL, each.model)
    const whole = await generateText({ model, prompt, maxRetries: 0 })
    assert.equal(whole.text, each.says)
    assert.equal(whole.finishReason, 'length')
    const errors: unknown[] = []
    const streamed = streamText({
      model,
      prompt,
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    })
    assert.equal(await streamed.text, each.says)
    assert.equal(await streamed.finishReason, 'length')
    assert.deepEqual(errors, [])
  })
}

eachCase('@langchain/openai, whole and streamed', async ({ baseURL }, each) => {
  const chat = new ChatOpenAI({
    model: each.model,
    apiKey: 'none',
    maxRetries: 0,
    configuration: { baseURL },
  })
  const whole = await chat.invoke(prompt)
  assert.equal(whole.text, each.says)
  assert.equal(whole.response_metadata['finish_reason'], 'length')
  let text = ''
  for await (const chunk of await chat.stream(prompt)) text += chunk.text
  assert.equal(text, each.says)
})

eachCase('@anthropic-ai/sdk, whole and streamed', async ({ url }, each) => {
  const client = new Anthropic({
    baseURL: url,
    apiKey: 'none',
    maxRetries: 0,
  })
  const body = { model: each.model, max_tokens: 500, messages }
  const whole = await client.messages.create(body)
  const helper = client.messages.stream(body)
  assert.equal(await helper.finalText(), each.says)
  for (const { stop_reason, content } of [whole, await helper.finalMessage()]) {
    assert.equal(stop_reason, 'max_tokens')
    const said = content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    assert.equal(said, each.says)
  }
})

eachCase('runs and the UI stream', async ({ url }, each) => {
  const [model, strategy] = each.model.split(':')
  const post = (path: string, body: object): Promise<Response> =>
    fetch(new URL(path, url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const reply = await post('/v1/runs', { model, strategy, input: prompt })
  assert.equal(reply.status, 200)
  const run = (await reply.json()) as {
    status: string
    stop_reason: string
    answer: { text: string } | null
  }
  assert.deepEqual([run.status, run.stop_reason], ['completed', 'deadline'])
  assert.equal(run.answer?.text ?? '', each.says)
  const chat = { id: 'chat', messages: [{ role: 'user', parts: [{ type: 'text', text: prompt }] }] }
  const stream = await post('/v1/ui/chat', { ...chat, model: each.model })
  const frames = await stream.text()
  assert.match(frames, /"type":"finish","finishReason":"length"/)
  assert.doesNotMatch(frames, /"type":"error"/)
})
