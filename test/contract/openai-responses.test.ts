import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import OpenAI6 from 'openai'
import { ResponsesWS as ResponsesWS6 } from 'openai/resources/responses/ws'
import OpenAI7 from 'openai7'
import { ResponsesWS as ResponsesWS7 } from 'openai7/resources/responses/ws'
import {
  type Body,
  endless,
  FakeRuns,
  refinement,
  heldAt,
  scripted,
  usage,
} from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const CLIENTS = { 'openai 6': OpenAI6, 'openai 7': OpenAI7 } as const
const model = 'pebble:best-of-n'
const input = 'What is 6 × 7?'

/** Both majors have the same surface here; the older types serve for both. */
const connect = async (t: TestContext, Client: unknown, runs = new FakeRuns()) => {
  const server = await listen(t, runs)
  const Six = Client as typeof OpenAI6
  const client = new Six({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 1 })
  return { ...server, client }
}

const ORDER = [
  'response.created',
  'response.in_progress',
  'response.output_item.added',
  'response.reasoning_summary_part.added',
  'response.reasoning_summary_text.delta',
  'response.reasoning_summary_text.done',
  'response.reasoning_summary_part.done',
  'response.reasoning_summary_part.added',
  'response.reasoning_summary_text.delta',
  'response.reasoning_summary_text.done',
  'response.reasoning_summary_part.done',
  'response.output_item.done',
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
  'response.completed',
]

const withoutRepeats = (types: readonly string[]): string[] =>
  types.filter((type, at) => type !== types[at - 1])

const failed: Body = {
  type: 'run.failed',
  answer: null,
  usage,
  error: { code: 'all_candidates_failed', message: 'Every draft failed.' },
}

for (const [name, Client] of Object.entries(CLIENTS)) {
  test(`${name} gets a response: a reasoning part per revision, the answer, the usage`, async (t) => {
    const { client, runs } = await connect(t, Client)
    const response = await client.responses.create({
      model,
      input,
      instructions: 'Be brief.',
      metadata: { a: 'b' },
      max_output_tokens: 64,
      temperature: 0.5,
      reasoning: { effort: 'low' },
    })
    assert.equal(response.id, 'resp_1')
    assert.equal(response.output_text, 'It is 42.')
    assert.deepEqual([response.status, response.model], ['completed', model])
    assert.deepEqual([response.instructions, response.metadata], ['Be brief.', { a: 'b' }])
    assert.deepEqual(
      response.output.map(({ type, id }) => [type, id]),
      [
        ['reasoning', 'rs_1'],
        ['message', 'msg_1'],
      ],
    )
    const [reasoning] = response.output
    assert.ok(reasoning?.type === 'reasoning')
    assert.equal(reasoning.summary.length, 2)
    assert.match(reasoning.summary[1]!.text, /### Revision 2 \(better, 0\.9\)\n\nIt is 42\./)
    assert.deepEqual(response.usage, {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 40, cache_write_tokens: 0 },
      output_tokens: 50,
      output_tokens_details: { reasoning_tokens: 35 },
      total_tokens: 150,
    })
    assert.deepEqual(runs.requests[0]?.messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: input },
    ])
    assert.deepEqual(runs.requests[0]?.sampling, { temperature: 0.5, max_tokens: 64 })
    assert.deepEqual(runs.requests[0]?.budget, { calls: 4 })
  })

  test(`${name} is told what of its request had no effect`, async (t) => {
    const { client, runs } = await connect(t, Client)
    const body = {
      model,
      input,
      truncation: 'auto' as const,
      include: ['reasoning.encrypted_content' as const],
      text: { verbosity: 'low' as const },
      reasoning: { mode: 'pro', generate_summary: 'concise' as const },
    }
    const response = await client.responses.create(body)
    const { refine } = response as unknown as { refine: { ignored: string[] } }
    assert.deepEqual(refine.ignored, ['truncation', 'include', 'reasoning.mode', 'text.verbosity'])
    assert.equal(response.reasoning?.summary, 'concise')
    assert.equal(runs.requests[0]?.top_logprobs, undefined)
  })

  test(`${name} streams a response in the order of the protocol`, async (t) => {
    const { client } = await connect(t, Client)
    const events = []
    for await (const event of await client.responses.create({ model, input, stream: true })) {
      events.push(event)
    }
    assert.deepEqual(withoutRepeats(events.map(({ type }) => type)), ORDER)
    assert.deepEqual(
      events.map((event) => event.sequence_number),
      events.map((_, at) => at),
    )
  })

  test(`${name}’s stream helper puts the same response together`, async (t) => {
    const { client } = await connect(t, Client)
    const helper = client.responses.stream({ model, input })
    let text = ''
    helper.on('response.output_text.delta', ({ delta }) => (text += delta))
    const final = await helper.finalResponse()
    assert.equal(text, 'It is 42.')
    const stored = await client.responses.retrieve(final.id)
    assert.deepEqual(JSON.parse(JSON.stringify(final.output)), final.output)
    assert.equal(stored.output_text, final.output_text)
    assert.deepEqual(stored.usage, final.usage)
    const taken = await client.responses.stream({ response_id: final.id }).finalResponse()
    assert.equal(taken.output_text, 'It is 42.')
  })

  test(`${name} resumes a stream behind any of its events`, async (t) => {
    const { client } = await connect(t, Client)
    const create = { model, input, stream: true, background: true } as const
    const whole = []
    for await (const event of await client.responses.create(create)) whole.push(event)
    assert.equal(whole[1]?.type, 'response.queued')
    for (let seen = 0; seen < whole.length; seen++) {
      const rest = []
      const again = { stream: true, starting_after: seen } as const
      for await (const event of await client.responses.retrieve('resp_1', again)) rest.push(event)
      assert.deepEqual([...whole.slice(0, seen + 1), ...rest], whole)
    }
  })

  test(`${name} polls and cancels a response in the background`, async (t) => {
    const script = endless(refinement.slice(0, 6))
    const { client } = await connect(t, Client, new FakeRuns(script))
    const started = await client.responses.create({ model, input, background: true })
    assert.ok(['queued', 'in_progress'].includes(started.status!), started.status)
    let now = started
    while (now.output.length === 0) now = await client.responses.retrieve(started.id)
    assert.equal(now.status, 'in_progress')
    const cancelled = await client.responses.cancel(started.id)
    assert.equal(cancelled.status, 'cancelled')
    const last = cancelled.output.at(-1)
    assert.ok(last?.type === 'message')
    assert.deepEqual(
      last.content.map((part) => part.type === 'output_text' && part.text),
      ['It is 41.'],
    )
  })

  test(`${name} continues a conversation by the id of a response`, async (t) => {
    const { client, runs } = await connect(t, Client)
    const first = await client.responses.create({ model, input, instructions: 'Be brief.' })
    const second = await client.responses.create({
      model,
      input: [
        { type: 'reasoning', id: 'rs_1', summary: [] },
        { role: 'user', content: [{ type: 'input_text', text: 'Sure?' }] },
      ],
      previous_response_id: first.id,
      instructions: 'Be kind.',
    })
    const messages = [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: input },
      { role: 'assistant', content: 'It is 42.' },
      { role: 'user', content: 'Sure?' },
    ]
    assert.deepEqual(runs.requests[1]?.messages, messages)
    assert.equal(second.previous_response_id, first.id)
    const items = []
    const list = client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 })
    for await (const item of list) items.push(item)
    assert.deepEqual(
      items.map((item) => item.type === 'message' && item.content),
      [
        [{ type: 'input_text', text: input }],
        [{ type: 'output_text', text: 'It is 42.', annotations: [] }],
        [{ type: 'input_text', text: 'Sure?' }],
      ],
    )
    await assert.rejects(
      client.responses.inputItems.list(second.id, { after: 'msg_of_another' }),
      Client.BadRequestError,
    )
    await client.responses.delete(first.id)
    await assert.rejects(client.responses.retrieve(first.id), Client.NotFoundError)
    await assert.rejects(
      client.responses.create({ model, input, previous_response_id: first.id }),
      (error: unknown) => {
        assert.ok(error instanceof Client.APIError)
        assert.deepEqual([error.status, error.param], [404, 'previous_response_id'])
        return true
      },
    )
  })

  test(`${name} understands refusals and failures`, async (t) => {
    const { client, runs } = await connect(t, Client)
    await assert.rejects(
      client.responses.create({ model, input, tools: [{ type: 'web_search' }] }),
      (error: unknown) => error instanceof Client.BadRequestError && error.param === 'tools.0.type',
    )
    runs.script = scripted([...refinement.slice(0, 4), failed])
    await assert.rejects(client.responses.create({ model, input }), /Every draft failed/)
    assert.equal(runs.requests.length, 1)
    const helper = client.responses.stream({ model, input })
    const types: string[] = []
    helper.on('event', ({ type }) => types.push(type))
    const { status, error } = await helper.finalResponse()
    assert.equal(types.at(-1), 'response.failed')
    assert.equal(status, 'failed')
    assert.deepEqual(error, { code: 'all_candidates_failed', message: 'Every draft failed.' })
  })

  test(`${name} cancels a response by leaving, unless it is in the background`, async (t) => {
    const { client, runs } = await connect(t, Client, new FakeRuns(endless()))
    const cancelled = new Promise<string>((resolve) => (runs.onCancel = resolve))
    const background = { model, input, stream: true, background: true } as const
    for await (const _ of await client.responses.create(background)) break
    for await (const _ of await client.responses.create({ model, input, stream: true })) break
    assert.equal(await cancelled, 'run_2')
    assert.deepEqual(runs.cancelled, ['run_2'])
  })

  test(`${name} leaves nothing behind with store: false`, async (t) => {
    const { client, runs } = await connect(t, Client)
    const response = await client.responses.create({ model, input, store: false })
    assert.equal(response.output_text, 'It is 42.')
    while (runs.entries.size > 0) await new Promise((resolve) => setImmediate(resolve))
    await assert.rejects(client.responses.retrieve(response.id), Client.NotFoundError)
  })
}

const SOCKETS = {
  'openai 6': [OpenAI6, ResponsesWS6],
  'openai 7': [OpenAI7, ResponsesWS7],
} as const

interface Heard {
  readonly type: string
  readonly stream_id?: string
  readonly [field: string]: unknown
}

const openSocket = async (t: TestContext, name: keyof typeof SOCKETS, runs?: FakeRuns) => {
  const server = await connect(t, SOCKETS[name][0], runs)
  const open = () => hear(t, name, server.client)
  return { ...server, ...open(), again: open }
}

const hear = (t: TestContext, name: keyof typeof SOCKETS, client: OpenAI6) => {
  const [, Socket] = SOCKETS[name]
  const socket = new (Socket as typeof ResponsesWS6)(client)
  t.after(() => socket.close())
  const heard: Heard[] = []
  let wake = (): void => undefined
  socket.on('event', (event) => {
    heard.push(event as unknown as Heard)
    wake()
  })
  socket.on('error', () => undefined)
  const until = async (fits: (event: Heard) => boolean): Promise<Heard> => {
    for (;;) {
      const found = heard.find(fits)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const say = (message: object): void => socket.send(message as Parameters<typeof socket.send>[0])
  return { socket, heard, until, say }
}

for (const name of Object.keys(SOCKETS) as (keyof typeof SOCKETS)[]) {
  test(`${name} has responses on a WebSocket, lanes apart and each lane in order`, async (t) => {
    const { say, until, heard, runs } = await openSocket(t, name)
    say({ type: 'response.create', model, input: 'a1', stream_id: 'a' })
    say({ type: 'response.create', model, input: 'a2', stream_id: 'a' })
    say({ type: 'response.create', model, input: 'b1', stream_id: 'b' })
    let ended = 0
    await until(
      () => (ended = heard.filter(({ type }) => type === 'response.completed').length) === 3,
    )
    assert.equal(ended, 3)
    const lane = (id: string) => heard.filter(({ stream_id }) => stream_id === id)
    assert.deepEqual(withoutRepeats(lane('a').map(({ type }) => type)), [...ORDER, ...ORDER])
    assert.deepEqual(withoutRepeats(lane('b').map(({ type }) => type)), ORDER)
    const inputs = runs.requests.map(({ messages }) => messages?.[0]?.content)
    assert.ok(inputs.indexOf('a1') < inputs.indexOf('a2'))
  })

  test(`${name} is told on a WebSocket what is wrong, and goes on`, async (t) => {
    const { say, until } = await openSocket(t, name)
    say({ type: 'response.create', model, input, stream_id: 'a', previous_response_id: 'resp_9' })
    const missing = await until(({ type }) => type === 'error')
    assert.deepEqual([missing['status'], missing.stream_id], [404, 'a'])
    assert.equal((missing['error'] as Heard)['code'], 'previous_response_not_found')
    say({ type: 'response.steer', previous_response_id: 'resp_9', input: 'Shorter.' })
    const steer = await until(({ type }) => type === 'response.steer.failed')
    assert.equal((steer['error'] as Heard)['code'], 'response_not_found')
    say({ type: 'response.create', model, input })
    const done = await until(({ type }) => type === 'response.completed')
    assert.equal(done.stream_id, undefined)
  })

  test(`${name} steers a response that is being made`, async (t) => {
    const { say, until, runs } = await openSocket(t, name, new FakeRuns(endless()))
    say({ type: 'response.create', model, input })
    await until(({ type }) => type === 'response.in_progress')
    const hint = [{ role: 'user', content: [{ type: 'input_text', text: 'Shorter.' }] }]
    say({ type: 'response.steer', previous_response_id: 'resp_1', input: hint })
    await until(({ type }) => type === 'response.steer.accepted')
    const told = runs.entries.get('run_1')?.events.find(({ type }) => type === 'run.steered')
    assert.ok(told?.type === 'run.steered')
    assert.deepEqual(told.steering, { action: 'hint', text: 'Shorter.' })
  })

  test(`${name} cancels by closing its WebSocket what is not stored or may not wait`, async (t) => {
    for (const wish of [{ store: false }, { refine: { grace_seconds: 0 } }]) {
      const server = await openSocket(t, name, new FakeRuns(endless(refinement.slice(0, 3))))
      const cancelled = new Promise<string>((resolve) => (server.runs.onCancel = resolve))
      server.say({ type: 'response.create', model, input, ...wish })
      await server.until(({ type }) => type === 'response.in_progress')
      server.socket.close()
      assert.equal(await cancelled, 'run_1')
    }
  })

  test(`${name} takes up on another WebSocket what was in the background or is stored`, async (t) => {
    const { script, goOn } = heldAt(3)
    const first = await openSocket(t, name, new FakeRuns(script))
    first.say({ type: 'response.create', model, input, stream_id: 'a' })
    first.say({ type: 'response.create', model, input, stream_id: 'b', background: true })
    for (const lane of ['a', 'b'])
      await first.until(({ type, stream_id }) => stream_id === lane && type.includes('delta'))
    const left = new Map(
      ['a', 'b'].map((id) => [id, first.heard.filter((e) => e.stream_id === id)]),
    )
    first.socket.close()
    goOn()
    const second = first.again()
    for (const [lane, seen] of left) {
      const { response } = seen[0] as unknown as { response: { id: string } }
      const starting_after = seen.at(-1)!['sequence_number']
      const wish = { response_id: response.id, starting_after, stream_id: lane }
      second.say({ type: 'response.retrieve', ...wish })
      await second.until(({ type, stream_id }) => stream_id === lane && type.endsWith('.completed'))
      const all = [...seen, ...second.heard.filter(({ stream_id }) => stream_id === lane)]
      const numbers = all.map(({ sequence_number }) => sequence_number)
      assert.deepEqual(numbers, [...all.keys()])
    }
    assert.deepEqual(first.runs.cancelled, [])
    second.say({ type: 'response.retrieve', response_id: 'resp_9', stream_id: 'c' })
    const missing = await second.until(({ stream_id }) => stream_id === 'c')
    assert.deepEqual([missing.type, missing['status']], ['error', 404])
  })
}
