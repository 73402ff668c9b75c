/** Tools, formats and images through Responses, Anthropic’s messages and the AI SDK’s UI stream, by their own clients. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import {
  DefaultChatTransport,
  generateText,
  jsonSchema,
  readUIMessageStream,
  tool,
  type UIMessage,
} from 'ai'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import type { ResponseOutputItem } from 'openai/resources/responses/responses'
import { scriptedTruth } from '../../src/models/scripted.ts'
import { NUMBER_SCHEMA, PARIS, PARIS_ARGUMENTS, serveScripted, WEATHER } from './real-server.ts'

const { name, description, parameters } = WEATHER.function
const flat = { type: 'function' as const, name, description, parameters, strict: true }
const model = 'good:best-of-n'

for (const [version, Client] of Object.entries({ 'openai 6': OpenAI6, 'openai 7': OpenAI7 })) {
  const open = (baseURL: string): OpenAI6 =>
    new (Client as typeof OpenAI6)({ baseURL, apiKey: 'none', maxRetries: 0 })

  test(`${version}: a response calls a function, and goes on from its output`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const client = open(baseURL)
    const first = await client.responses.create({ model, input: PARIS, tools: [flat] })
    const call = first.output.find((item) => item.type === 'function_call')
    assert.ok(call !== undefined && !first.output.some(({ type }) => type === 'message'))
    assert.deepEqual([call.name, call.arguments], [name, PARIS_ARGUMENTS])
    assert.deepEqual([first.tools[0]?.type, first.tool_choice], ['function', 'auto'])
    const output = {
      type: 'function_call_output' as const,
      call_id: call.call_id,
      output: 'Sunny.',
    }
    const second = await client.responses.create({
      model,
      tools: [flat],
      previous_response_id: first.id,
      input: [output],
    })
    assert.match(second.output_text, /####/)
    const items = await client.responses.inputItems.list(second.id, { order: 'asc' })
    assert.deepEqual(
      items.data.map(({ type }) => type),
      ['message', 'function_call', 'function_call_output'],
    )
  })

  test(`${version}: a response has the log-probabilities that were asked for, whole and streamed`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const body = { model, input: PARIS, top_logprobs: 2 }
    const told = (output: readonly ResponseOutputItem[]) => {
      const [part] = output.flatMap((item) => (item.type === 'message' ? item.content : []))
      assert.ok(part?.type === 'output_text')
      const { text, logprobs: tokens = [] } = part
      assert.equal(tokens.map(({ token }) => token).join(''), text)
      assert.ok(tokens.every(({ logprob, bytes }) => logprob <= 0 && bytes.length > 0))
      assert.ok(tokens.some(({ top_logprobs: likeliest }) => likeliest.length > 0))
    }
    told((await open(baseURL).responses.create(body)).output)
    told((await open(baseURL).responses.stream(body).finalResponse()).output)
    const include = ['message.output_text.logprobs'] as const
    const asked = { model, input: PARIS, include: [...include] }
    const { output, ...response } = await open(baseURL).responses.create(asked)
    const part = output.flatMap((item) => (item.type === 'message' ? item.content : []))[0]
    assert.ok(part?.type === 'output_text' && part.logprobs!.length > 0)
    assert.deepEqual(part.logprobs![0]!.top_logprobs, [])
    assert.equal((response as { refine?: { ignored?: unknown } }).refine?.ignored, undefined)
  })

  test(`${version}: the tokens of a stream come with its text, each once`, async (t) => {
    const { baseURL } = await serveScripted(t)
    for (const strategy of ['single', 'best-of-n']) {
      const body = {
        model: `good:${strategy}`,
        input: PARIS,
        top_logprobs: 1,
        stream: true,
      } as const
      let [text, tokens, parts] = ['', '', 0]
      for await (const event of await open(baseURL).responses.create(body)) {
        if (event.type !== 'response.output_text.delta') continue
        text += event.delta
        tokens += event.logprobs.map(({ token }) => token).join('')
        parts++
      }
      assert.ok(text !== '' && (strategy === 'single') === parts > 1)
      assert.equal(tokens, text)
    }
  })

  test(`${version}: the response stream helper reads calls and JSON`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const client = open(baseURL)
    const called = client.responses.stream({ model: 'good:single', input: PARIS, tools: [flat] })
    const types: string[] = []
    called.on('event', ({ type }) => types.push(type))
    const { output } = await called.finalResponse()
    assert.deepEqual(
      output.map(({ type }) => type),
      ['function_call'],
    )
    assert.ok(types.includes('response.function_call_arguments.done'))
    const format = { type: 'json_schema' as const, name: 'n', schema: NUMBER_SCHEMA, strict: true }
    const parsed = await client.responses.parse({ model, input: 'How many?', text: { format } })
    assert.deepEqual(parsed.output_parsed, { answer: scriptedTruth('How many?') })
  })
}

const weather = tool({
  description,
  inputSchema: jsonSchema<{ city: string }>(parameters as never),
  execute: ({ city }) => `Sunny in ${city}.`,
})

for (const [surface, provider] of Object.entries({
  Responses: (baseURL: string) => createOpenAI({ baseURL, apiKey: 'none' })(model),
  Messages: (baseURL: string) => createAnthropic({ baseURL, apiKey: 'none' })(model),
})) {
  test(`AI SDK over ${surface}: its tool loop ends with an answer`, async (t) => {
    const { baseURL } = await serveScripted(t)
    const { steps, text } = await generateText({
      model: provider(baseURL),
      prompt: PARIS,
      tools: { get_weather: weather },
      stopWhen: ({ steps: done }) => done.length === 2,
    })
    assert.deepEqual(
      steps.flatMap(({ toolResults }) => toolResults.map(({ output }) => output)),
      ['Sunny in Paris.'],
    )
    assert.match(text, /####/)
  })
}

const anthropicTool = {
  name,
  description,
  input_schema: parameters as unknown as Anthropic.Tool.InputSchema,
}

test('Anthropic’s client gets tool_use, whole and streamed, and sends the result', async (t) => {
  const { url } = await serveScripted(t)
  const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const ask = {
    model,
    max_tokens: 64,
    tools: [anthropicTool],
    tool_choice: { type: 'any' as const, disable_parallel_tool_use: true },
    thinking: { type: 'disabled' as const },
    messages: [{ role: 'user' as const, content: PARIS }],
  }
  const message = await client.messages.create(ask)
  const [use] = message.content
  assert.equal(message.stop_reason, 'tool_use')
  assert.ok(use?.type === 'tool_use')
  assert.deepEqual([use.name, use.input], [name, { city: 'Paris' }])
  const streamed = await client.messages.stream(ask).finalMessage()
  assert.deepEqual(
    streamed.content.map((block) => (block.type === 'tool_use' ? block.input : block.type)),
    [{ city: 'Paris' }],
  )
  const told = await client.messages.create({
    ...ask,
    tool_choice: { type: 'auto' },
    messages: [
      ...ask.messages,
      { role: 'assistant', content: message.content },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: use.id, content: 'Sunny.' }],
      },
    ],
  })
  assert.equal(told.stop_reason, 'end_turn')
})

test('an image reaches only a model that takes images, in every dialect', async (t) => {
  const { url, baseURL } = await serveScripted(t)
  const pixel = 'iVBORw0KGgo='
  const blind = /needs images, which the model .*good.* does not offer/
  const claude = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const source = { type: 'base64' as const, media_type: 'image/png' as const, data: pixel }
  const content = [
    { type: 'image' as const, source },
    { type: 'text' as const, text: 'What?' },
  ]
  await assert.rejects(
    claude.messages.create({ model, max_tokens: 9, messages: [{ role: 'user', content }] }),
    blind,
  )
  const openai = new OpenAI6({ baseURL, apiKey: 'none', maxRetries: 0 })
  const image_url = `data:image/png;base64,${pixel}`
  const image = { type: 'input_image' as const, image_url, detail: 'auto' as const }
  await assert.rejects(
    openai.responses.create({ model, input: [{ role: 'user', content: [image] }] }),
    blind,
  )
})

test('the AI SDK’s chat gets tool parts, and its results come back as a conversation', async (t) => {
  const { url } = await serveScripted(t)
  const transport = new DefaultChatTransport<UIMessage>({
    api: `${url}/v1/ui/chat`,
    body: { model: 'good:single', tools: [WEATHER] },
  })
  const user: UIMessage = { id: 'u1', role: 'user', parts: [{ type: 'text', text: PARIS }] }
  const send = async (messages: UIMessage[]): Promise<UIMessage> => {
    const stream = await transport.sendMessages({
      chatId: 'c1',
      messages,
      trigger: 'submit-message',
      messageId: undefined,
      abortSignal: undefined,
    })
    let last: UIMessage | undefined
    for await (const message of readUIMessageStream({ stream })) last = message
    return last!
  }
  const asked = await send([user])
  const part = asked.parts.find(({ type }) => type === 'tool-get_weather')
  assert.ok(part !== undefined && 'input' in part)
  assert.deepEqual([part.state, part.input], ['input-available', { city: 'Paris' }])
  const answered = { ...part, state: 'output-available', output: 'Sunny.' } as never
  const parts = asked.parts.map((each) => (each === part ? answered : each))
  const told = await send([user, { ...asked, parts }])
  assert.ok(told.parts.some((each) => each.type === 'text' && each.text.includes('####')))
})

test('Anthropic’s client is told by a run which stop sequence its model met', async (t) => {
  const { url } = await serveScripted(t)
  const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const messages = [{ role: 'user' as const, content: PARIS }]
  for (const strategy of ['single', 'best-of-n']) {
    const asked = { model: `good:${strategy}`, max_tokens: 400, messages }
    const cut = await client.messages.create({ ...asked, stop_sequences: ['\n'] })
    assert.deepEqual([cut.stop_reason, cut.stop_sequence], ['stop_sequence', '\n'], strategy)
    const whole = await client.messages.create({ ...asked, stop_sequences: ['\u2603'] })
    assert.deepEqual([whole.stop_reason, whole.stop_sequence], ['end_turn', null], strategy)
  }
})
