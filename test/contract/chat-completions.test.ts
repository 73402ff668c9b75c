/** The matrix of clients against what we send as chat completions: each row is what the client makes of it. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { APICallError, generateText, streamText } from 'ai'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { type Body, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const model = 'pebble:best-of-n'
const prompt = 'What is 6 × 7?'
const messages = [{ role: 'user' as const, content: prompt }]

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}

const connect = async (t: TestContext, runs = new FakeRuns()) => {
  const server = await listen(t, runs)
  const baseURL = `${server.url}/v1`
  return { ...server, baseURL }
}

const broken = (): FakeRuns => new FakeRuns(scripted([...refinement.slice(0, 8), failed]))

for (const [name, Client] of Object.entries({ 'openai 6': OpenAI6, 'openai 7': OpenAI7 })) {
  const open = (baseURL: string): OpenAI6 =>
    new (Client as typeof OpenAI6)({ baseURL, apiKey: 'none' })

  test(`${name} passes reasoning of both names on, and our extra key`, async (t) => {
    const { baseURL } = await connect(t)
    const stream = await open(baseURL).chat.completions.create({ model, messages, stream: true })
    let content = ''
    const reasoning: [unknown, unknown][] = []
    const extra: unknown[] = []
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta as Record<string, unknown>
      content += (delta['content'] as string | undefined) ?? ''
      if ('reasoning' in delta) reasoning.push([delta['reasoning'], delta['reasoning_content']])
      if ('refine' in chunk) extra.push(chunk.refine)
    }
    assert.equal(content, 'It is 42.')
    assert.ok(reasoning.length > 2 && reasoning.every(([one, other]) => one === other))
    assert.equal(extra.length, 2)
  })

  test(`${name}’s stream helper takes reasoning, comments and the usage chunk`, async (t) => {
    const { baseURL } = await connect(t)
    const helper = open(baseURL).chat.completions.stream({
      model,
      messages,
      stream_options: { include_usage: true },
    })
    const { choices, usage: spent } = await helper.finalChatCompletion()
    assert.equal(choices.length, 1)
    assert.equal(choices[0]?.message.content, 'It is 42.')
    assert.equal(spent?.total_tokens, 150)
  })

  test(`${name} throws our error in the middle of a stream, from the helper too`, async (t) => {
    const { baseURL } = await connect(t, broken())
    const stream = await open(baseURL).chat.completions.create({ model, messages, stream: true })
    const read = async (): Promise<void> => {
      for await (const _ of stream);
    }
    await assert.rejects(read, /Every draft failed/)
    const helper = open(baseURL).chat.completions.stream({ model, messages })
    await assert.rejects(helper.finalChatCompletion(), /Every draft failed/)
  })

  test(`${name} gets as many choices as it asks for, each a run of its own`, async (t) => {
    const { baseURL, runs } = await connect(t)
    const body = { model, messages, n: 2, seed: 7 }
    const several = await open(baseURL).chat.completions.create(body)
    assert.deepEqual(
      several.choices.map(({ index, message }) => [index, message.content]),
      [
        [0, 'It is 42.'],
        [1, 'It is 42.'],
      ],
    )
    assert.deepEqual(
      runs.requests.map(({ seed }) => seed),
      [7, 8],
    )
    assert.equal(several.usage?.total_tokens, 300, 'of both')
  })
}

const compatible = (baseURL: string) =>
  createOpenAICompatible({ name: 'refine', baseURL, includeUsage: true })(model)

test('AI SDK compatible: work is reasoning that is not doubled, usage adds up', async (t) => {
  const { baseURL, runs } = await connect(t)
  const providerOptions = { refine: { refine: { options: { n: 2 } } } }
  const result = streamText({ model: compatible(baseURL), prompt, providerOptions })
  assert.equal(await result.text, 'It is 42.')
  const reasoning = (await result.reasoningText) ?? ''
  assert.equal(reasoning.split('### Revision 2').length, 2, 'told once')
  const { inputTokens, outputTokens, outputTokenDetails } = await result.usage
  assert.deepEqual([inputTokens, outputTokens], [100, 50])
  assert.deepEqual([outputTokenDetails.textTokens, outputTokenDetails.reasoningTokens], [15, 35])
  assert.deepEqual(runs.requests[0]?.options, { n: 2 })
})

test('AI SDK compatible: an error in the middle ends the stream as one', async (t) => {
  const { baseURL } = await connect(t, broken())
  const result = streamText({
    model: compatible(baseURL),
    prompt,
    maxRetries: 0,
    onError: () => undefined,
  })
  const parts = []
  for await (const part of result.fullStream) parts.push(part)
  const error = parts.find((part) => part.type === 'error')
  assert.match(JSON.stringify(error?.error ?? ''), /Every draft failed/)
  const finish = parts.find((part) => part.type === 'finish')
  assert.ok(finish === undefined || finish.finishReason === 'error')
})

test('AI SDK compatible: errors before the stream keep their text and are not repeated', async (t) => {
  const { baseURL, runs } = await connect(t)
  const call = generateText({
    model: compatible(baseURL),
    prompt,
    temperature: 9,
    maxRetries: 2,
  })
  await assert.rejects(call, (error: unknown) => {
    assert.ok(APICallError.isInstance(error))
    assert.deepEqual([error.statusCode, error.isRetryable], [400, false])
    assert.match(error.message, /\/temperature/)
    return true
  })
  assert.equal(runs.requests.length, 0)
})

test('AI SDK openai.chat: the answer alone', async (t) => {
  const { baseURL } = await connect(t)
  const openai = createOpenAI({ baseURL, apiKey: 'none' })
  const result = streamText({ model: openai.chat(model), prompt })
  assert.equal(await result.text, 'It is 42.')
  assert.equal(await result.reasoningText, undefined)
})

/** It repeats requests by itself and does not read `x-should-retry`. */
const langchain = (baseURL: string): ChatOpenAI =>
  new ChatOpenAI({ model, apiKey: 'none', configuration: { baseURL }, maxRetries: 0 })

test('LangChain: work is additional reasoning, the answer is content', async (t) => {
  const { baseURL } = await connect(t)
  const whole = await langchain(baseURL).invoke(prompt)
  assert.equal(whole.text, 'It is 42.')
  assert.equal(
    (whole as unknown as { usage_metadata?: { total_tokens: number } }).usage_metadata
      ?.total_tokens,
    150,
  )
  let content = ''
  let reasoning = ''
  for await (const chunk of await langchain(baseURL).stream(prompt)) {
    content += chunk.text
    reasoning += (chunk.additional_kwargs['reasoning_content'] as string | undefined) ?? ''
  }
  assert.equal(content, 'It is 42.')
  assert.equal(reasoning.split('### Revision 2').length, 2, 'told once')
})

test('LangChain: errors keep their text, in a stream too', async (t) => {
  const { baseURL } = await connect(t, broken())
  await assert.rejects(langchain(baseURL).invoke(prompt), /Every draft failed/)
  const stream = await langchain(baseURL).stream(prompt)
  const read = async (): Promise<void> => {
    for await (const _ of stream);
  }
  await assert.rejects(read, /Every draft failed/)
})
