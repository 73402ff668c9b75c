import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import OpenAI from 'openai'
import type { RunEvent } from '../../../src/core/event.ts'
import { ReasoningText, type ShowMode } from '../../../src/http/compat/reasoning-text.ts'
import {
  type Body,
  endless,
  FakeRuns,
  refinement,
  scripted,
  usage,
} from '../../support/fake-runs.ts'
import { buildServer, listen } from '../../support/http-server.ts'
import { post } from '../../support/sse-client.ts'

const messages = [{ role: 'user' as const, content: 'What is 6 × 7?' }]

const connect = async (t: TestContext, runs = new FakeRuns()) => {
  const server = await listen(t, runs)
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 2 })
  return { ...server, client }
}

interface Extra {
  readonly refine?: Record<string, unknown>
  readonly reasoning?: string
  readonly reasoning_content?: string
}

test('OpenAI’s client gets the answer, the usage of the whole strategy, and how it came', async (t) => {
  const { client } = await connect(t)
  const completion = await client.chat.completions.create({ model: 'pebble:best-of-n', messages })
  assert.equal(completion.object, 'chat.completion')
  assert.equal(completion.model, 'pebble:best-of-n')
  assert.equal(completion.choices[0]?.message.content, 'It is 42.')
  assert.equal(completion.choices[0]?.finish_reason, 'stop')
  assert.deepEqual(completion.usage, {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 40 },
    completion_tokens_details: { reasoning_tokens: 35 },
  })
  const { refine } = completion as Extra
  assert.deepEqual(
    [refine?.['run_id'], refine?.['strategy'], refine?.['stop_reason'], refine?.['revisions']],
    ['run_1', 'best-of-n', 'threshold', 2],
  )
  assert.match(
    (completion.choices[0].message as Extra).reasoning ?? '',
    /Revision 2 \(better, 0\.9\)/,
  )
  assert.match(completion._request_id ?? '', /^req_/)
})

test('OpenAI’s client streams reasoning, then the answer alone as content', async (t) => {
  const { client } = await connect(t)
  const stream = await client.chat.completions.create({
    model: 'pebble',
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' })
  const deltas = chunks.flatMap(({ choices }) =>
    choices.map(({ delta }) => delta as Extra & typeof delta),
  )
  assert.equal(deltas.map(({ content }) => content ?? '').join(''), 'It is 42.')
  for (const { reasoning, reasoning_content } of deltas) assert.equal(reasoning, reasoning_content)
  const told = deltas.map(({ reasoning }) => reasoning ?? '').join('')
  assert.match(told, /### Revision 1 \(first, 0\.4\)\n\nIt is 41\./)
  assert.match(told, /Off by one\./)
  const finished = chunks.filter(({ choices }) => choices[0]?.finish_reason === 'stop')
  assert.equal(finished.length, 1)
  const last = chunks.at(-1)!
  assert.deepEqual([last.choices, last.usage?.total_tokens], [[], 150])
  assert.equal((last as Extra).refine?.['run_id'], 'run_1')
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1)
})

test('OpenAI’s stream helper survives the whole stream', async (t) => {
  const { client } = await connect(t)
  const helper = client.chat.completions.stream({ model: 'pebble', messages })
  let content = ''
  helper.on('content', (delta) => (content += delta))
  const completion = await helper.finalChatCompletion()
  assert.equal(content, 'It is 42.')
  assert.equal(completion.choices[0]?.message.content, 'It is 42.')
})

test('OpenAI’s client lists the models', async (t) => {
  const { client } = await connect(t)
  const ids = []
  for await (const { id } of client.models.list()) ids.push(id)
  assert.deepEqual(ids, ['pebble', 'pebble:single', 'pebble:best-of-n'])
  assert.equal((await client.models.retrieve('pebble:single')).id, 'pebble:single')
})

test('OpenAI’s client understands the errors', async (t) => {
  const { client } = await connect(t)
  await assert.rejects(
    client.chat.completions.create({ model: 'granite', messages }),
    (error: unknown) => {
      assert.ok(error instanceof OpenAI.NotFoundError)
      assert.deepEqual([error.code, error.param], ['unknown_model', 'model'])
      assert.match(error.message, /granite/)
      return true
    },
  )
  await assert.rejects(
    client.chat.completions.create({ model: 'pebble', messages: [] }),
    (error: unknown) =>
      error instanceof OpenAI.BadRequestError && error.message.includes('/messages'),
  )
})

test('a wrong key is an authentication error', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const { url } = await listen(t, new FakeRuns(), { keys })
  const options = { baseURL: `${url}/v1`, maxRetries: 0 }
  await assert.rejects(
    new OpenAI({ ...options, apiKey: 'wrong' }).models.list(),
    OpenAI.AuthenticationError,
  )
  assert.ok(await new OpenAI({ ...options, apiKey: 'secret' }).models.list())
})

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}

test('OpenAI’s client does not repeat a request that has spent tokens', async (t) => {
  const { client, runs } = await connect(t, new FakeRuns(scripted([failed])))
  await assert.rejects(client.chat.completions.create({ model: 'pebble', messages }), /Every draft/)
  assert.equal(runs.requests.length, 1)
})

test('an error in the middle of a stream reaches OpenAI’s client as one', async (t) => {
  const script = scripted([...refinement.slice(0, 4), failed])
  const { client } = await connect(t, new FakeRuns(script))
  const stream = await client.chat.completions.create({ model: 'pebble', messages, stream: true })
  let chunks = 0
  await assert.rejects(async () => {
    for await (const chunk of stream) chunks += chunk.choices.length
  }, /Every draft failed/)
  assert.ok(chunks > 0)
})

test('OpenAI’s client cancels the run by leaving', async (t) => {
  const { client, runs } = await connect(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const stream = await client.chat.completions.create({ model: 'pebble', messages, stream: true })
  const cancelled = new Promise<string>((resolve) => (runs.onCancel = resolve))
  for await (const _ of stream) break
  assert.equal(await cancelled, 'run_1')
})

test('a strategy without feedback streams its only draft as content', async (t) => {
  const bodies = [...refinement.slice(0, 4), ...refinement.slice(5, 6)]
  const answer = { text: 'It is 41.', candidate: 0, revision: 1, score: null }
  const end: Body = { type: 'run.completed', answer, usage, stop_reason: 'finished' }
  const { client } = await connect(t, new FakeRuns(scripted([...bodies, end])))
  const stream = await client.chat.completions.create({
    model: 'pebble:single',
    messages,
    stream: true,
  })
  const contents = []
  for await (const { choices } of stream) contents.push(choices[0]?.delta.content)
  assert.deepEqual(contents.filter(Boolean), ['It is ', '41.'])
})

test('the stream holds data lines only and ends with [DONE]', async (t) => {
  const { url } = await connect(t)
  const body = { model: 'pebble', messages, stream: true, refine: { show: 'full' } }
  const text = await (await fetch(`${url}/v1/chat/completions`, post(body))).text()
  const lines = text.split('\n').filter((line) => line !== '')
  assert.equal(lines[0], 'retry: 2000')
  assert.ok(lines.slice(1).every((line) => line.startsWith('data: ')))
  assert.equal(lines.at(-1), 'data: [DONE]')
})

const call = { id: 'c1', type: 'function', function: { name: 'add', arguments: '{}' } }

test('what a chat request says becomes a run request', async (t) => {
  const runs = new FakeRuns()
  const app = await buildServer(t, runs)
  const payload = {
    model: 'pebble:best-of-n',
    messages: [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: '<think>hm\n</think>\nHello.', reasoning_content: 'hm' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: '5' },
      { role: 'user', content: 'Bye' },
    ],
    max_tokens: 5,
    max_completion_tokens: 7,
    temperature: 0.5,
    stop: 'END',
    seed: -1,
    reasoning_effort: 'low',
    metadata: { a: 'b' },
    presence_penalty: 0.5,
    top_k: 40,
    min_p: 0.1,
    repetition_penalty: 1.1,
    store: true,
    top_p: null,
    user: 'ann',
    refine: { options: { n: 2 }, experiment: { key: 'e' } },
  }
  const reply = await app.inject({ method: 'POST', url: '/v1/chat/completions', payload })
  assert.equal(reply.statusCode, 200, reply.body)
  assert.deepEqual(runs.requests[0], {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: '5' },
      { role: 'user', content: 'Bye' },
    ],
    sampling: {
      temperature: 0.5,
      presence_penalty: 0.5,
      top_k: 40,
      min_p: 0.1,
      repetition_penalty: 1.1,
      max_tokens: 7,
      stop: ['END'],
    },
    budget: { calls: 4 },
    model: 'pebble',
    strategy: 'best-of-n',
    options: { n: 2 },
    experiment: { key: 'e', unit: 'ann' },
    seed: 2_147_483_647,
    metadata: { a: 'b' },
  })
  assert.deepEqual(reply.json().refine.ignored, ['store'])
})

test('a model’s name may choose an experiment', async (t) => {
  const runs = new FakeRuns()
  const app = await buildServer(t, runs)
  const payload = { model: 'experiment:tone', messages, user: 'ann' }
  await app.inject({ method: 'POST', url: '/v1/chat/completions', payload })
  assert.deepEqual(runs.requests[0]?.experiment, { key: 'tone', unit: 'ann' })
  assert.equal(runs.requests[0]?.model, undefined)
})

const audio = { type: 'input_audio', input_audio: { data: '' } }
const REFUSED: readonly [string, object, number, string][] = [
  ['too many choices', { n: 17 }, 400, '/n'],
  ['sound', { messages: [{ role: 'user', content: [audio] }] }, 400, '/messages/0/content/0/type'],
  ['a tool of another kind', { tools: [{ type: 'custom' }] }, 400, '/tools/0/type'],
  ['a tool choice without tools', { tool_choice: 'required' }, 400, '/tool_choice'],
  ['a schema without its type', { response_format: { schema: {} } }, 400, '/response_format'],
  ['functions of old', { functions: [{ name: 'f' }] }, 400, '/functions'],
  ['an unknown field', { colour: 'red' }, 400, '/colour'],
  ['an unknown field of ours', { refine: { effort: 1 } }, 400, '/refine/effort'],
  ['an unknown strategy', { model: 'pebble:magic' }, 404, 'magic'],
  ['text for a number', { temperature: '1' }, 400, '/temperature'],
  ['an empty question', { messages: [{ role: 'user', content: '' }] }, 400, '/messages/0/content'],
  [
    'a conversation without a question',
    { messages: [{ role: 'system', content: 'a' }] },
    400,
    '/messages/0/role',
  ],
  ['no messages at all', { messages: null }, 400, '/messages'],
]

for (const [name, fields, status, word] of REFUSED) {
  test(`a chat request with ${name} is refused, naming ${word}`, async (t) => {
    const app = await buildServer(t)
    const payload = { model: 'pebble', messages, ...fields }
    const reply = await app.inject({ method: 'POST', url: '/v1/chat/completions', payload })
    assert.equal(reply.statusCode, status, reply.body)
    assert.ok(reply.json().error.message.includes(word), reply.body)
  })
}

const tell = (show: ShowMode, bodies: readonly Body[]): string => {
  const text = new ReasoningText(show)
  return bodies
    .map((body, at) => text.add({ run_id: 'r', sequence: at + 1, at: '', ...body } as RunEvent))
    .join('')
}

test('each way of showing tells more than the one before', () => {
  assert.equal(tell('none', refinement), '')
  const [status, summary, full] = (['status', 'summary', 'full'] as const).map((show) =>
    tell(show, refinement),
  )
  assert.ok(!status!.includes('Off by one.') && status!.includes('### Revision 2'))
  assert.ok(summary!.includes('Off by one.') && !summary!.includes('**Draft 1**'))
  assert.ok(full!.includes('**Draft 1**\n\nIt is 41.\n\n'))
})

test('drafts written at the same time are told one after the other', () => {
  const created = (candidate: number): Body => ({
    type: 'candidate.created',
    candidate,
    parents: [],
    round: 0,
    model: 'pebble',
    role: 'draft',
  })
  const delta = (candidate: number, text: string): Body => ({
    type: 'candidate.delta',
    candidate,
    text,
  })
  const completed = (candidate: number): Body => ({
    type: 'candidate.completed',
    candidate,
    finish_reason: 'stop',
    usage: { output_tokens: 1 },
  })
  const bodies = [
    created(0),
    created(1),
    delta(1, 'one '),
    delta(0, 'zero '),
    delta(1, 'more'),
    completed(1),
    delta(0, 'end'),
    completed(0),
  ]
  assert.equal(tell('full', bodies), '**Draft 1**\n\nzero end\n\n**Draft 2**\n\none more\n\n')
})
