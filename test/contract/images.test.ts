/** An image that a client sends is before the eyes of all who work on its answer: drafts, reviews, revisions, judgements. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import OpenAI from 'openai'
import Anthropic from '@anthropic-ai/sdk'
import { delta, DONE, finish, startUpstream, stream, usage, type Seen } from '../models/upstream.ts'
import { serveScripted } from './real-server.ts'

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'
const IMAGE = `data:image/png;base64,${PIXEL}`
const QUESTION = 'Which animal is it?'

/** Three models on one upstream; only the judge answers with a verdict. */
const serveSeeing = async (t: TestContext, judgeSees = true) => {
  const upstream = await startUpstream(t, (response, { body }) => {
    const says = body['model'] === 'judge' ? '{"reason": "Right.", "score": 7}' : 'It is a cat.'
    const samples = Number(body['n'] ?? 1)
    const texts = Array.from({ length: samples }, (_, at) => delta(says, at) + finish('stop', at))
    stream(response).end(texts.join('') + usage(10, 5) + DONE)
  })
  const modelOf = (id: string, images: boolean): string =>
    `  - { id: ${id}, adapter: openai-compatible, base_url: "${upstream.baseUrl}", prompts: full, ` +
    `capabilities: { images: ${images ? 'native' : 'none'} } }`
  const models = [modelOf('writer', true), modelOf('judge', judgeSees), modelOf('reviewer', true)]
  const calls = (): readonly Seen[] => upstream.seen.filter(({ body }) => 'messages' in body)
  return { ...(await serveScripted(t, models.join('\n'))), calls }
}

interface Part {
  readonly type: string
  readonly image_url?: { readonly url: string }
}

/** Addresses of the images in a call, as the upstream was sent them. */
const imagesIn = ({ body }: Seen): string[] => {
  const messages = body['messages'] as readonly { readonly content: string | readonly Part[] }[]
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  return parts.flatMap(({ image_url: image }) => image?.url ?? [])
}

const callsOf = (seen: readonly Seen[], model: string): readonly Seen[] =>
  seen.filter(({ body }) => body['model'] === model)

const refine = (strategy: string, options: object) => ({
  refine: { strategy, options, models: { judge: 'judge', reviewer: 'reviewer' } },
})
const image_url = { url: IMAGE, detail: 'high' as const }
const asked: OpenAI.ChatCompletionMessageParam[] = [
  {
    role: 'user',
    content: [
      { type: 'text', text: QUESTION },
      { type: 'image_url', image_url },
    ],
  },
]

test('the judge of a chat completion is shown the image with the question', async (t) => {
  const { baseURL, calls } = await serveSeeing(t)
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 })
  const completion = await client.chat.completions.create({
    model: 'writer',
    messages: asked,
    ...refine('best-of-n', { n: 2 }),
  })
  assert.equal(completion.choices[0]?.message.content, 'It is a cat.')
  const judged = callsOf(calls(), 'judge')
  assert.ok(judged.length >= 2, 'each draft was judged')
  for (const call of [...callsOf(calls(), 'writer'), ...judged])
    assert.deepEqual(imagesIn(call), [IMAGE])
  for (const { body } of judged) {
    const told = JSON.stringify(body['messages'])
    assert.ok(told.includes(QUESTION) && told.includes('It is a cat.') && told.includes('"high"'))
  }
})

test('so are reviewer and refiner, whatever the dialect', async (t) => {
  const { url, calls } = await serveSeeing(t)
  const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const source = { type: 'base64' as const, media_type: 'image/png' as const, data: PIXEL }
  const body = {
    model: 'writer',
    max_tokens: 100,
    messages: [
      {
        role: 'user' as const,
        content: [
          { type: 'image' as const, source },
          { type: 'text' as const, text: QUESTION },
        ],
      },
    ],
    ...refine('self-refine', { rounds: 1 }),
  }
  await client.messages.create(body)
  assert.ok(callsOf(calls(), 'reviewer').length > 0)
  assert.ok(callsOf(calls(), 'writer').length > 1, 'a draft and its revision')
  for (const call of calls()) assert.deepEqual(imagesIn(call), [IMAGE])
})

test('a judge without eyes judges all the same, is sent no image, and the run says so', async (t) => {
  const { baseURL, runs, calls } = await serveSeeing(t, false)
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 })
  const completion = await client.chat.completions.create({
    model: 'writer',
    messages: asked,
    ...refine('best-of-n', { n: 2 }),
  })
  for (const call of callsOf(calls(), 'writer')) assert.deepEqual(imagesIn(call), [IMAGE])
  for (const call of callsOf(calls(), 'judge')) assert.deepEqual(imagesIn(call), [])
  const { run_id: id } = (completion as unknown as { refine: { run_id: string } }).refine
  const codes: string[] = []
  for await (const event of runs.events(id, '', 0, new AbortController().signal))
    if (event.type === 'warning') codes.push(event.code)
  assert.deepEqual(codes, ['hidden_images'])
})
