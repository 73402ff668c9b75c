/** What the clients put together themselves and send back: it has fields that no answer of a server has. */
import assert from 'node:assert/strict'
import test from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI6 from 'openai'
import OpenAI7 from 'openai7'
import { scriptedTruth } from '../../src/models/scripted.ts'
import { NUMBER_SCHEMA, PARIS, PARIS_ARGUMENTS, serveScripted, WEATHER } from './real-server.ts'

const model = 'good:best-of-n'
const asked = { role: 'user' as const, content: PARIS }
const strict = { ...WEATHER, function: { ...WEATHER.function, strict: true } }
const { name, description, parameters } = WEATHER.function
const flat = { type: 'function' as const, name, description, parameters, strict: true }
const other = { ...WEATHER, function: { ...WEATHER.function, name: 'other' } }

for (const [version, Client] of Object.entries({ 'openai 6': OpenAI6, 'openai 7': OpenAI7 })) {
  const open = (baseURL: string): OpenAI6 =>
    new (Client as typeof OpenAI6)({ baseURL, apiKey: 'none', maxRetries: 0 })

  test(`${version}: calls that a helper has parsed are sent back with their results`, async (t) => {
    const { completions } = open((await serveScripted(t)).baseURL).chat
    const body = { model, messages: [asked], tools: [strict] }
    const parsed = await completions.parse(body)
    const streamed = await completions.stream(body).finalChatCompletion()
    for (const { choices } of [parsed, streamed]) {
      const { message } = choices[0]!
      const [call] = message.tool_calls ?? []
      assert.ok('parsed' in message && call?.type === 'function')
      const result = { role: 'tool' as const, tool_call_id: call.id, content: 'Sunny.' }
      const told = await completions.parse({ ...body, messages: [asked, message, result] })
      assert.match(told.choices[0]?.message.content ?? '', /####/)
    }
  })

  test(`${version}: an object that a helper has parsed is sent back`, async (t) => {
    const { completions } = open((await serveScripted(t)).baseURL).chat
    const json_schema = { name: 'answer', schema: NUMBER_SCHEMA, strict: true }
    const response_format = { type: 'json_schema' as const, json_schema }
    const ask = { model: 'good:self-refine', response_format }
    const messages = [{ role: 'user' as const, content: 'How many?' }]
    const first = await completions.parse({ ...ask, messages })
    const again = { role: 'user' as const, content: 'How many?' }
    const { choices } = await completions.parse({
      ...ask,
      messages: [...messages, first.choices[0]!.message, again],
    })
    assert.deepEqual(choices[0]?.message.parsed, { answer: scriptedTruth('How many?') })
  })

  test(`${version}: its tool loop ends with an answer, whole and streamed`, async (t) => {
    const { completions } = open((await serveScripted(t)).baseURL).chat
    const run = ({ city }: { city: string }): string => `Sunny in ${city}.`
    const runnable = {
      type: 'function' as const,
      function: { name, description, parameters, function: run, parse: JSON.parse },
    }
    for (const stream of [false, true]) {
      const body = { model, messages: [asked], tools: [runnable], stream } as never
      assert.match((await completions.runTools(body).finalContent()) ?? '', /####/)
    }
  })

  test(`${version}: of the tools only those that are allowed are called`, async (t) => {
    const client = open((await serveScripted(t)).baseURL)
    const only = [{ type: 'function', function: { name } }]
    const chat = await client.chat.completions.create({
      model,
      messages: [asked],
      tools: [other, WEATHER],
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: only } },
    })
    const [call] = chat.choices[0]?.message.tool_calls ?? []
    assert.ok(call?.type === 'function')
    assert.deepEqual(call.function, { name, arguments: PARIS_ARGUMENTS })
    const choice = {
      type: 'allowed_tools' as const,
      mode: 'required' as const,
      tools: [{ type: 'function', name }],
    }
    const tools = [{ ...flat, name: 'other' }, flat]
    const { output, ...response } = await client.responses.create({
      model,
      input: PARIS,
      tools,
      tool_choice: choice,
    })
    const called = output.find((item) => item.type === 'function_call')
    assert.deepEqual([called?.name, called?.arguments], [name, PARIS_ARGUMENTS])
    assert.deepEqual([response.tool_choice, response.tools.length], [choice, 2])
    const unknown = { ...choice, tools: [{ type: 'function', name: 'third' }] }
    await assert.rejects(
      client.responses.create({ model, input: PARIS, tools, tool_choice: unknown }),
      { status: 400, param: 'tool_choice.tools.0.name' },
    )
  })
}

test('a null in any field of a message, a tool or a format counts as not given', async (t) => {
  const { baseURL, runs } = await serveScripted(t)
  const send = async (route: string, body: object): Promise<Response> =>
    fetch(`${baseURL}/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const empty = { refusal: null, annotations: null, audio: null, function_call: null }
  const schema = { ...NUMBER_SCHEMA, properties: { answer: { enum: [null, 7] } } }
  const reply = await send('chat/completions', {
    model,
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hello.', image_url: null }], name: null },
      { role: 'assistant', content: 'Hello.', tool_calls: null, ...empty },
      asked,
    ],
    tools: [{ ...WEATHER, function: { ...WEATHER.function, description: null } }],
    tool_choice: 'none',
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'answer', description: null, schema, strict: null },
    },
  })
  assert.equal(reply.status, 200)
  const { choices } = (await reply.json()) as {
    choices: { message: { content: string } }[]
  }
  const { answer } = JSON.parse(choices[0]!.message.content) as { answer: unknown }
  assert.ok(answer === null || answer === 7, 'a null in the schema is one of its values')
  const format = { type: 'json_schema', name: 'answer', description: null, schema }
  const response = await send('responses', { model, input: PARIS, text: { format } })
  assert.equal(response.status, 200)
  const blocks = [{ type: 'text', text: PARIS, citations: null, source: null }]
  const message = await send('messages', {
    model,
    max_tokens: 64,
    messages: [
      { role: 'user', content: PARIS },
      {
        role: 'assistant',
        content: [{ type: 'tool_use', id: 'a', name, input: { city: null }, text: null }],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: null }] },
      { role: 'user', content: blocks },
    ],
    tools: [{ name, description: null, input_schema: parameters }],
  })
  assert.equal(message.status, 200)
  const { refine } = (await message.json()) as { refine: { run_id: string } }
  const { messages: sent = [] } = await runs.request(refine.run_id, '')
  assert.equal(sent[1]?.tool_calls?.[0]?.function.arguments, '{"city":null}')
})

test('Anthropic’s tool runner ends with an answer, whole and streamed, and its tools may be strict', async (t) => {
  const { url, runs } = await serveScripted(t)
  const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })
  const input_schema = parameters as unknown as Anthropic.Beta.BetaTool.InputSchema
  const run = ({ city }: { city: string }): Promise<string> => Promise.resolve(`Sunny in ${city}.`)
  const runnable = {
    name,
    description,
    input_schema,
    strict: true,
    run,
    parse: (given: never) => given,
  }
  for (const stream of [false, true]) {
    const body = { model, max_tokens: 64, messages: [asked], tools: [runnable], stream }
    const runner = client.beta.messages.toolRunner(body as never) as unknown as {
      runUntilDone(): Promise<Anthropic.Beta.BetaMessage>
    }
    const { content, stop_reason } = await runner.runUntilDone()
    assert.equal(stop_reason, 'end_turn')
    const last = content.at(-1)
    assert.match(last?.type === 'text' ? last.text : '', /####/)
  }
  const { runs: made } = await runs.list({ owner: '', limit: 10, order: 'asc' })
  const { messages = [], tools } = await runs.request(made[1]!.id, '')
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'tool'],
  )
  assert.equal(tools?.[0]?.function.strict, true)
})
