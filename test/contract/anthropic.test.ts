import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test, { type TestContext } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { type Body, endless, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const connect = async (t: TestContext, runs = new FakeRuns(), apiKey = 'none', keys = {}) => {
  const server = await listen(t, runs, keys)
  return { ...server, client: new Anthropic({ baseURL: server.url, apiKey, maxRetries: 2 }) }
}

const ask = {
  model: 'pebble:best-of-n',
  max_tokens: 64,
  messages: [{ role: 'user' as const, content: 'What is 6 × 7?' }],
}

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}

test('Anthropic’s client gets a thinking block per revision, then the answer', async (t) => {
  const { client, runs } = await connect(t)
  const message = await client.messages.create({
    ...ask,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    ...({ temperature: 0.5, top_k: 3 } as object), // other clients still send them
    stop_sequences: ['END'],
    metadata: { user_id: 'ann' },
  })
  assert.deepEqual(
    [message.id, message.model, message.stop_reason],
    ['msg_1', ask.model, 'end_turn'],
  )
  const [first, second, answer] = message.content
  assert.ok(first?.type === 'thinking' && second?.type === 'thinking' && answer?.type === 'text')
  assert.match(first.thinking, /### Revision 1 \(first, 0\.4\)\n\nIt is 41\./)
  assert.match(second.thinking, /Off by one\..*### Revision 2/s)
  assert.equal(answer.text, 'It is 42.')
  const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage
  assert.deepEqual([input_tokens, cache_read_input_tokens, output_tokens], [60, 40, 50])
  assert.deepEqual(runs.requests[0], {
    deadline_seconds: 598, // the client gives up after 600
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is 6 × 7?' },
    ],
    sampling: { max_tokens: 64, temperature: 0.5, top_k: 3, stop: ['END'] },
    model: 'pebble',
    strategy: 'best-of-n',
  })
})

test('Anthropic’s stream helper puts the same message together', async (t) => {
  const { client } = await connect(t)
  const stream = client.messages.stream(ask)
  const types: string[] = []
  stream.on('streamEvent', ({ type }) => types.push(type))
  const message = await stream.finalMessage()
  const whole = await client.messages.create(ask)
  assert.deepEqual(message.content, whole.content)
  assert.deepEqual(message.usage, whole.usage)
  assert.equal(types[0], 'message_start')
  assert.deepEqual(types.slice(-3), ['content_block_stop', 'message_delta', 'message_stop'])
})

test('Anthropic’s client is told which of its stop sequences was met', async (t) => {
  const bodies = refinement.map((body): Body =>
    body.type === 'candidate.completed' ? { ...body, stop_string: 'END' } : { ...body },
  )
  const { client } = await connect(t, new FakeRuns(scripted(bodies)))
  const own = { ...ask, stop_sequences: ['\n', 'END'] }
  const met = { stop_reason: 'stop_sequence', stop_sequence: 'END' }
  const endOf = ({ stop_reason, stop_sequence }: Anthropic.Message) => ({
    stop_reason,
    stop_sequence,
  })
  assert.deepEqual(endOf(await client.messages.create(own)), met)
  assert.deepEqual(endOf(await client.messages.stream(own).finalMessage()), met)
  // A strategy has stop strings of its own, which the caller knows nothing of.
  const others = await client.messages.create({ ...ask, stop_sequences: ['\n'] })
  assert.deepEqual(endOf(others), { stop_reason: 'end_turn', stop_sequence: null })
})

test('Anthropic’s client sends thinking and tool results back, and may ask for no thinking', async (t) => {
  const { client, runs } = await connect(t)
  const { content } = await client.messages.create(ask)
  const message = await client.messages.create({
    ...ask,
    thinking: { type: 'disabled' },
    output_config: { effort: 'low' },
    messages: [
      ...ask.messages,
      {
        role: 'assistant',
        content: [...content, { type: 'tool_use', id: 't1', name: 'add', input: { a: 2 } }],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't1', content: '5' },
          { type: 'text', text: 'Sure?' },
        ],
      },
    ],
  })
  assert.deepEqual(
    message.content.map(({ type }) => type),
    ['text'],
  )
  assert.deepEqual(runs.requests[1]?.budget, { calls: 4 })
  assert.deepEqual(runs.requests[1]?.messages?.slice(1), [
    {
      role: 'assistant',
      content: 'It is 42.',
      tool_calls: [{ id: 't1', type: 'function', function: { name: 'add', arguments: '{"a":2}' } }],
    },
    { role: 'tool', tool_call_id: 't1', content: '5' },
    { role: 'user', content: 'Sure?' },
  ])
})

test('a tool result that is an error is told to the model as one', async (t) => {
  const { client, runs } = await connect(t)
  const call = (id: string) => ({ type: 'tool_use' as const, id, name: 'add', input: {} })
  const result = (tool_use_id: string, content: string, is_error: boolean) => ({
    type: 'tool_result' as const,
    tool_use_id,
    content,
    is_error,
  })
  await client.messages.create({
    ...ask,
    messages: [
      ...ask.messages,
      { role: 'assistant', content: [call('a'), call('b'), call('c')] },
      {
        role: 'user',
        content: [
          result('a', 'No such number.', true),
          result('b', '', true),
          result('c', '5', false),
        ],
      },
    ],
  })
  assert.deepEqual(
    runs.requests[0]?.messages?.slice(2).map(({ role, content }) => [role, content]),
    [
      ['tool', 'The tool call failed:\nNo such number.'],
      ['tool', 'The tool call failed.'],
      ['tool', '5'],
    ],
  )
})

test('Anthropic’s client understands the errors', async (t) => {
  const { client, runs } = await connect(t)
  const tools = [{ type: 'web_search_20250305' as const, name: 'web_search' as const }]
  await assert.rejects(client.messages.create({ ...ask, tools }), (error: unknown) => {
    assert.ok(error instanceof Anthropic.BadRequestError)
    assert.equal(error.type, 'invalid_request_error')
    assert.match(error.message, /\/tools\/0\/type/)
    assert.match(error.requestID ?? '', /^req_/)
    return true
  })
  const unknown = client.messages.create({ ...ask, model: 'granite' })
  await assert.rejects(unknown, Anthropic.NotFoundError)
  runs.script = scripted([...refinement.slice(0, 4), failed])
  await assert.rejects(client.messages.create(ask), /Every draft failed/)
  assert.equal(runs.requests.length, 1, 'a request that spent tokens is not repeated')
  await assert.rejects(client.messages.stream(ask).finalMessage(), /Every draft failed/)
})

test('Anthropic’s client sends its key as x-api-key', async (t) => {
  const keys = {
    keys: [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }],
  }
  const { client } = await connect(t, new FakeRuns(), 'secret', keys)
  assert.equal((await client.messages.create(ask)).role, 'assistant')
  const { client: wrong } = await connect(t, new FakeRuns(), 'wrong', keys)
  await assert.rejects(wrong.messages.create(ask), (error: unknown) => {
    assert.ok(error instanceof Anthropic.AuthenticationError)
    assert.equal(error.type, 'authentication_error')
    return true
  })
})

test('Anthropic’s client cancels the run by leaving', async (t) => {
  const { client, runs } = await connect(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const cancelled = new Promise<string>((resolve) => (runs.onCancel = resolve))
  for await (const _ of await client.messages.create({ ...ask, stream: true })) break
  assert.equal(await cancelled, 'run_1')
})

test('a strategy without feedback streams its only draft as text', async (t) => {
  const answer = { text: 'It is 41.', candidate: 0, revision: 1, score: null }
  const end: Body = { type: 'run.completed', answer, usage, stop_reason: 'finished' }
  const script = scripted([...refinement.slice(0, 4), ...refinement.slice(5, 6), end])
  const { client } = await connect(t, new FakeRuns(script))
  const texts: string[] = []
  const stream = client.messages.stream({ ...ask, model: 'pebble:single' })
  stream.on('text', (text) => texts.push(text))
  const { content } = await stream.finalMessage()
  assert.deepEqual(texts, ['It is ', '41.'])
  assert.equal(content.length, 1)
})
