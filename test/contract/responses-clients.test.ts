/** Responses and Messages as clients read them that are not the vendors' own. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText, type LanguageModel, type ModelMessage } from 'ai'
import { type Body, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const model = 'pebble:best-of-n'
const prompt = 'What is 6 × 7?'

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}
const broken = (): FakeRuns => new FakeRuns(scripted([...refinement.slice(0, 8), failed]))

const PROVIDERS: Readonly<Record<string, (baseURL: string) => LanguageModel>> = {
  'AI SDK openai': (baseURL) => createOpenAI({ baseURL, apiKey: 'none' })(model),
  'AI SDK anthropic': (baseURL) => createAnthropic({ baseURL, apiKey: 'none' })(model),
}

const connect = async (t: TestContext, runs = new FakeRuns()) => {
  const server = await listen(t, runs)
  return { ...server, baseURL: `${server.url}/v1` }
}

for (const [name, provide] of Object.entries(PROVIDERS)) {
  test(`${name} shows a reasoning block per revision, then the answer`, async (t) => {
    const { baseURL } = await connect(t)
    const result = streamText({ model: provide(baseURL), prompt })
    assert.equal(await result.text, 'It is 42.')
    const reasoning = (await result.reasoning).map(({ text }) => text)
    assert.equal(reasoning.length, 2)
    assert.match(reasoning[1]!, /### Revision 2/)
    assert.equal(await result.finishReason, 'stop')
    const { inputTokens, outputTokens } = await result.usage
    assert.deepEqual([inputTokens, outputTokens], [100, 50])
    const whole = await generateText({ model: provide(baseURL), prompt })
    assert.deepEqual([whole.text, whole.reasoning.length], ['It is 42.', 2])
  })

  test(`${name} goes on with what it was answered`, async (t) => {
    const { baseURL, runs } = await connect(t)
    const first = await generateText({ model: provide(baseURL), prompt })
    const messages: ModelMessage[] = [
      { role: 'user', content: prompt },
      ...first.response.messages,
      { role: 'user', content: 'Sure?' },
    ]
    await generateText({ model: provide(baseURL), messages })
    assert.deepEqual(runs.requests[1]?.messages, [
      { role: 'user', content: prompt },
      { role: 'assistant', content: 'It is 42.' },
      { role: 'user', content: 'Sure?' },
    ])
  })

  test(`${name} is told of failures, before the stream and in it`, async (t) => {
    const { baseURL, runs } = await connect(t, broken())
    const ask = { model: provide(baseURL), prompt, maxRetries: 0 }
    await assert.rejects(generateText(ask), /Every draft failed/)
    assert.equal(runs.requests.length, 1)
    const errors: unknown[] = []
    const result = streamText({ ...ask, onError: ({ error }) => void errors.push(error) })
    for await (const _ of result.fullStream);
    assert.equal(errors.length, 1)
    const error = errors[0] as { message?: string }
    assert.match(error.message ?? JSON.stringify(error), /Every draft failed/)
  })
}

test('LangChain in Responses mode shows reasoning blocks and the answer', async (t) => {
  const { baseURL } = await connect(t)
  const chat = new ChatOpenAI({
    model,
    apiKey: 'none',
    configuration: { baseURL },
    useResponsesApi: true,
    maxRetries: 0,
  })
  const whole = await chat.invoke(prompt)
  assert.equal(whole.text, 'It is 42.')
  assert.equal(
    (whole as unknown as { usage_metadata?: { total_tokens: number } }).usage_metadata
      ?.total_tokens,
    150,
  )
  let text = ''
  let reasoning = ''
  for await (const chunk of await chat.stream(prompt)) {
    text += chunk.text
    for (const block of chunk.contentBlocks) {
      if (block.type === 'reasoning') reasoning += block.reasoning
    }
  }
  assert.equal(text, 'It is 42.')
  assert.match(reasoning, /### Revision 2/)
  const failing = await connect(t, broken())
  const other = new ChatOpenAI({
    model,
    apiKey: 'none',
    configuration: { baseURL: failing.baseURL },
    useResponsesApi: true,
    maxRetries: 0,
  })
  await assert.rejects(other.invoke(prompt), /Every draft failed/)
})
