/** Tools, response format, several choices and log-probabilities through unmodified chat completion clients. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { AIMessageChunk } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, jsonSchema, Output, streamText, tool } from 'ai'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { scriptedTruth } from '../../src/models/scripted.ts'
import { NUMBER_SCHEMA, PARIS, PARIS_ARGUMENTS, serveScripted, WEATHER } from './real-server.ts'

const messages = [{ role: 'user' as const, content: PARIS }]
const tools = [WEATHER]
const response_format = {
  type: 'json_schema' as const,
  json_schema: { name: 'answer', schema: NUMBER_SCHEMA, strict: true },
}

for (const [name, Client] of Object.entries({ 'openai 6': OpenAI6, 'openai 7': OpenAI7 })) {
  const open = (baseURL: string): OpenAI6 =>
    new (Client as typeof OpenAI6)({ baseURL, apiKey: 'none', maxRetries: 0 })

  test(`${name}: a tool call is proposed, answered and then put into words`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const client = open(baseURL)
    const model = 'good:best-of-n'
    const asked = await client.chat.completions.create({ model, messages, tools })
    const [choice] = asked.choices
    assert.deepEqual([choice?.finish_reason, choice?.message.content], ['tool_calls', null])
    const [call] = choice?.message.tool_calls ?? []
    assert.ok(call?.type === 'function')
    assert.deepEqual(call.function, { name: 'get_weather', arguments: PARIS_ARGUMENTS })
    const told = await client.chat.completions.create({
      model,
      tools,
      messages: [
        ...messages,
        choice!.message,
        { role: 'tool', tool_call_id: call.id, content: 'Sunny.' },
      ],
    })
    assert.equal(told.choices[0]?.finish_reason, 'stop')
    assert.match(told.choices[0]?.message.content ?? '', /####/)
  })

  test(`${name}: the stream helper puts a streamed call together`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const helper = open(baseURL).chat.completions.stream({ model: 'good:single', messages, tools })
    const { choices } = await helper.finalChatCompletion()
    const call = choices[0]?.message.tool_calls?.[0]
    assert.equal(choices[0]?.finish_reason, 'tool_calls')
    assert.ok(call?.type === 'function' && call.id.startsWith('call_'))
    assert.equal(call.function.arguments, PARIS_ARGUMENTS)
  })

  test(`${name}: JSON that fits its schema, parsed by the client`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const parsed = await open(baseURL).chat.completions.parse({
      model: 'good:self-refine',
      messages: [{ role: 'user', content: 'How many?' }],
      response_format,
    })
    assert.deepEqual(parsed.choices[0]?.message.parsed, { answer: scriptedTruth('How many?') })
  })

  test(`${name}: n choices, whole and streamed, each with its index`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const body = { model: 'good:single', messages, n: 3, seed: 5, temperature: 1 }
    const whole = await open(baseURL).chat.completions.create(body)
    assert.deepEqual(
      whole.choices.map(({ index }) => index),
      [0, 1, 2],
    )
    assert.equal(whole.usage?.prompt_tokens, 3 * (whole.usage!.prompt_tokens / 3))
    const helper = open(baseURL).chat.completions.stream(body)
    const { choices } = await helper.finalChatCompletion()
    assert.deepEqual(
      choices.map(({ message }) => message.content),
      whole.choices.map(({ message }) => message.content),
      'the same seeds give the same choices',
    )
  })

  test(`${name}: log-probabilities of the answer, whole and streamed`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const body = { model: 'good:best-of-n', messages, logprobs: true, top_logprobs: 2, seed: 1 }
    const whole = await open(baseURL).chat.completions.create(body)
    const [choice] = whole.choices
    const tokens = choice?.logprobs?.content ?? []
    assert.equal(tokens.map(({ token }) => token).join(''), choice?.message.content)
    assert.ok(tokens.every(({ logprob, bytes }) => logprob <= 0 && (bytes?.length ?? 0) > 0))
    const { choices } = await open(baseURL).chat.completions.stream(body).finalChatCompletion()
    assert.deepEqual(choices[0]?.logprobs?.content, tokens)
  })

  test(`${name}: what is wrong with tools and formats is told by field`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const refused = async (body: object): Promise<string> => {
      const create = { model: 'good', messages, ...body }
      try {
        await open(baseURL).chat.completions.create(create as never)
      } catch (error) {
        assert.ok(error instanceof Client.BadRequestError)
        return String(error.param)
      }
      return 'accepted'
    }
    const audio = [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }]
    const image = [
      {
        role: 'user',
        content: [{ type: 'image_url', image_url: { url: 'https://x.test/a.png' } }],
      },
    ]
    const lost = [{ role: 'tool', tool_call_id: 'call_1', content: 'Sunny.' }]
    const broken = { ...WEATHER, function: { name: 'x', parameters: { $ref: '#' } } }
    assert.deepEqual(
      await Promise.all(
        [
          { messages: audio },
          { messages: image },
          { messages: lost },
          { tools: [broken] },
          { tool_choice: 'required' },
          { tools, tool_choice: { type: 'function', function: { name: 'other' } } },
          { response_format: { type: 'json_schema' } },
          { top_logprobs: 2 },
          { n: 17 },
          { tools, model: 'good:iterative-deepening' },
        ].map(refused),
      ),
      [
        'messages.0.content.0.type',
        'messages.0.content',
        'messages.0.tool_call_id',
        'tools.0.function.parameters',
        'tool_choice',
        'tool_choice.function.name',
        'response_format.json_schema',
        'top_logprobs',
        'n',
        'tools',
      ],
    )
  })
}

const compatible = (baseURL: string, id = 'good:single') =>
  createOpenAICompatible({ name: 'refine', baseURL, supportsStructuredOutputs: true })(id)

const weather = tool({
  description: 'The weather of a city.',
  inputSchema: jsonSchema<{ city: string }>(WEATHER.function.parameters as never),
  execute: ({ city }) => `Sunny in ${city}.`,
})

test('AI SDK compatible: a tool is called by the client, and the answer follows', async (t) => {
  const { baseURL } = await serveScripted(t)
  const seen: unknown[] = []
  const result = streamText({
    model: compatible(baseURL),
    prompt: PARIS,
    tools: { get_weather: weather },
    stopWhen: ({ steps }) => steps.length === 2,
    onStepFinish: ({ toolResults, finishReason }) => {
      seen.push(finishReason, ...toolResults.map(({ output }) => output))
    },
  })
  assert.match(await result.text, /####/)
  assert.deepEqual(seen, ['tool-calls', 'Sunny in Paris.', 'stop'])
})

test('AI SDK compatible: an object by its schema', async (t) => {
  const { baseURL } = await serveScripted(t)
  const { output } = await generateText({
    model: compatible(baseURL, 'good:best-of-n'),
    prompt: 'How many?',
    output: Output.object({ schema: jsonSchema<{ answer: number }>(NUMBER_SCHEMA as never) }),
  })
  assert.deepEqual(output, { answer: scriptedTruth('How many?') })
})

test('LangChain: tools are bound and called, in a stream too', async (t) => {
  const { baseURL } = await serveScripted(t)
  const model = new ChatOpenAI({
    model: 'good:single',
    apiKey: 'none',
    configuration: { baseURL },
    maxRetries: 0,
  }).bindTools(tools)
  const expected = [['get_weather', { city: 'Paris' }]]
  const whole = await model.invoke(PARIS)
  assert.deepEqual(
    whole.tool_calls?.map(({ name, args }) => [name, args]),
    expected,
  )
  let streamed: AIMessageChunk | undefined
  for await (const chunk of await model.stream(PARIS)) streamed = streamed?.concat(chunk) ?? chunk
  assert.deepEqual(
    streamed?.tool_calls?.map(({ name, args }) => [name, args]),
    expected,
  )
})

test('the same Idempotency-Key gives the same completion, choice by choice, and another body is refused', async (t) => {
  const { baseURL, runs } = await serveScripted(t)
  const client = new OpenAI6({ baseURL, apiKey: 'none' })
  const body = { model: 'good:single', messages, n: 2, temperature: 1 }
  const create = (more: object = {}) =>
    client.chat.completions.create({ ...body, ...more }, { headers: { 'idempotency-key': 'once' } })
  const first = await create()
  const again = await create()
  assert.deepEqual([again.id, again.choices], [first.id, first.choices])
  assert.equal((await runs.list({ owner: '', order: 'asc', limit: 10 })).runs.length, 2)
  await assert.rejects(create({ n: 3 }), (error: unknown) => {
    assert.ok(error instanceof OpenAI6.UnprocessableEntityError)
    return true
  })
})

test('a client’s own time-out is the run’s deadline: it gets the answer so far, not an error', async (t) => {
  const { baseURL } = await serveScripted(t)
  const client = new OpenAI6({ baseURL, apiKey: 'none' })
  const completion = await client.chat.completions.create(
    { model: 'slow:single', messages },
    { headers: { 'x-stainless-timeout': '1' } },
  )
  const { refine } = completion as unknown as { refine: { stop_reason: string } }
  assert.equal(refine.stop_reason, 'deadline')
  assert.notEqual(completion.choices[0]?.message.content, '')
})
