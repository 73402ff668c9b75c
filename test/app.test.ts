/** All parts together, as `serve` puts them together: real sockets, the embedded model, a real upstream connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { after, type TestContext } from 'node:test'
import OpenAI from 'openai'
import { buildServer, openRuns } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { isTerminal, type RunEvent } from '../src/core/event.ts'
import { foldRun } from '../src/core/run-state.ts'
import { STRATEGIES } from '../src/strategies/index.ts'
import { createLog } from '../src/telemetry/log.ts'
import { FOLDER } from './inference/model-fixture.ts'
import { writeFamily } from './models/onnx/templates.ts'
import { assertWithin } from './support/within.ts'

const log = createLog({ level: 'silent' })
const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-app-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** An upstream that streams words for ever, and when each of its connections was closed. */
const endless = createServer((request, response: ServerResponse) => {
  if (request.url?.endsWith('/models') === true) return response.end('{"object":"list","data":[]}')
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = { choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }] }
  const timer = setInterval(() => response.write(`data: ${JSON.stringify(chunk)}\n\n`), 10)
  response.on('close', () => {
    clearInterval(timer)
    endless.emit('left', performance.now())
  })
  return undefined
})
endless.listen(0, '127.0.0.1')
await once(endless, 'listening')

/** The embedded model with a token that it has no embedding for: its thread fails wherever that word comes up. */
const fragile = path.join(folder, 'fragile')
cpSync(FOLDER, fragile, { recursive: true })
const tokenizer = path.join(fragile, 'tokenizer.json')
const contents = JSON.parse(readFileSync(tokenizer, 'utf8')) as { added_tokens: object[] }
contents.added_tokens.push({ ...contents.added_tokens[0], id: 99_999, content: 'pens' })
writeFileSync(tokenizer, JSON.stringify(contents))

const config = path.join(folder, 'whetstone.yaml')
writeFileSync(
  config,
  `
models:
  - id: endless
    adapter: openai-compatible
    base_url: http://127.0.0.1:${(endless.address() as AddressInfo).port}/v1
  - { id: fragile, adapter: onnx, folder: ${fragile}, prompts: compact }
  - { id: caller, adapter: onnx, folder: ${writeFamily('qwen')}, threads: 1 }
defaults: { model: pebble }
`,
)
const settings = loadConfig({ config, data: path.join(folder, 'data'), port: '0' }, {})
const opened = await openRuns(
  { ...settings, limits: { ...settings.limits, drainSeconds: 0 } },
  log,
  () => undefined,
)
const { runs, close } = opened
const server = await buildServer(opened, settings, log, '0.0.0')
const url = await server.listen({ port: 0, host: '127.0.0.1' })
after(async () => {
  await runs.drain(0)
  await server.close()
  await close()
  endless.closeAllConnections()
  endless.close()
})

const post = (body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  })

async function* eventsOf(response: Response): AsyncGenerator<RunEvent, void, void> {
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.text())
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of response.body!) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    for (const line of lines)
      if (line.startsWith('data: ')) yield JSON.parse(line.slice(6)) as RunEvent
  }
}

const QUESTION =
  'Ann has 12 pens. Ben has 3 times as many pens as Ann. How many pens does Ben have?'

for (const { name } of STRATEGIES) {
  test(`${name} answers on the embedded model, live, and the answer is the fold of the stream`, async () => {
    const response = await post({ input: QUESTION, strategy: name, seed: 3, stream: true })
    const events: RunEvent[] = []
    for await (const event of eventsOf(response)) events.push(event)
    assert.equal(events.filter(isTerminal).length, 1)
    const state = foldRun(events)!
    assert.equal(state.status, 'completed')
    assert.ok(state.answer!.text.length > 0)
    assert.ok(events.filter(({ type }) => type === 'candidate.delta').length > 5, 'it is live')
    const stored = await (await fetch(`${url}/v1/runs/${state.id}`)).json()
    assert.deepEqual(stored, state)
    const { worst_case: most } = await runs.estimate({ input: QUESTION, strategy: name })
    assert.ok(state.usage.calls <= most.calls, `${state.usage.calls} calls, at most ${most.calls}`)
    assert.ok(state.usage.input_tokens <= most.input_tokens)
    assert.ok(state.usage.output_tokens <= most.output_tokens)
  })
}

for (const budget of [{ calls: 1 }, { tokens: 120 }, { seconds: 0.3 }]) {
  const [unit] = Object.keys(budget)
  test(`a tiny budget of ${unit} still gives the best answer, with the reason`, async () => {
    // Time runs out for certain only on a model that never ends.
    const model = unit === 'seconds' ? 'endless' : 'pebble'
    const response = await post({ input: QUESTION, strategy: 'best-of-n', model, budget, seed: 1 })
    const run = (await response.json()) as { answer: { text: string }; stop_reason: string }
    assert.equal(response.status, 200, JSON.stringify(run))
    assert.equal(run.stop_reason, unit === 'seconds' ? 'deadline' : 'budget')
    assert.ok(run.answer.text.length > 0)
  })
}

const leave = async (t: TestContext, model: string): Promise<{ left: number; id: string }> => {
  const client = new AbortController()
  t.after(() => client.abort())
  const response = await post(
    { input: QUESTION, strategy: 'single', model, stream: true },
    client.signal,
  )
  let id = ''
  for await (const event of eventsOf(response)) {
    id = event.run_id
    if (event.type === 'candidate.delta') break
  }
  const left = performance.now()
  client.abort()
  return { left, id }
}

test('a client that leaves closes the upstream connection within 100 ms', async (t) => {
  await assertWithin(t, 100, async () => {
    const closed = once(endless, 'left') as Promise<[number]>
    const { left } = await leave(t, 'endless')
    const [at] = await closed
    return at - left
  })
})

test('a client that leaves ends the run on the embedded model within 100 ms', async (t) => {
  await assertWithin(t, 100, async () => {
    const { left, id } = await leave(t, 'pebble')
    const state = await runs.ended(id, '', t.signal)
    assert.equal(state.status, 'cancelled')
    return performance.now() - left
  })
})

test("an unmodified OpenAI client gets the embedded model's answer and its revisions as reasoning", async () => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })
  const stream = await client.chat.completions.create({
    model: 'pebble:self-refine',
    messages: [{ role: 'user', content: QUESTION }],
    stream: true,
    seed: 2,
  })
  let [content, reasoning] = ['', '']
  for await (const { choices } of stream) {
    const delta = choices[0]?.delta as { content?: string; reasoning_content?: string } | undefined
    content += delta?.content ?? ''
    reasoning += delta?.reasoning_content ?? ''
  }
  assert.match(content, /#### \d+$/)
  assert.ok(reasoning.length > 0)
})

test('a model whose thread fails in the middle of a run is told of, the best answer stays, and it answers again', async () => {
  const models = { reviewer: 'fragile' }
  const request = { input: QUESTION, strategy: 'self-refine', models, seed: 1, stream: true }
  const events: RunEvent[] = []
  for await (const event of eventsOf(await post(request))) events.push(event)
  const failure = events.find((event) => event.type === 'warning' && event.code === 'model_failed')
  assert.ok(failure?.type === 'warning' && failure.message.startsWith('The model failed: '))
  const run = foldRun(events)!
  assert.ok(run.answer!.text.length > 0)
  assert.equal(run.answer!.text, run.candidates[0]!.text)
  // Where the draft itself fails there is nothing to keep.
  const own = await post({ input: QUESTION, strategy: 'single', model: 'fragile' })
  assert.equal(own.status, 502)
  const next = await post({ input: 'Ann has 3 cups.', strategy: 'single', model: 'fragile' })
  assert.equal(next.status, 200)
})

test('an unmodified OpenAI client gets the tool calls of an embedded model, which fit the tool', async () => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none' })
  const parameters = {
    type: 'object',
    properties: {
      city: { enum: ['Rome', 'Paris'] },
      days: { type: 'integer', minimum: 1, maximum: 9 },
    },
    required: ['city', 'days'],
  }
  const answer = await client.chat.completions.create({
    model: 'caller:self-consistency',
    messages: [{ role: 'user', content: 'Weather?' }],
    tools: [{ type: 'function', function: { name: 'weather', parameters } }],
    tool_choice: 'required',
    parallel_tool_calls: false,
    seed: 3,
  })
  const [{ message, finish_reason: reason }] = answer.choices as [(typeof answer.choices)[0]]
  assert.equal(reason, 'tool_calls')
  const [call] = message.tool_calls!
  assert.ok(call?.type === 'function' && call.function.name === 'weather')
  const given = JSON.parse(call.function.arguments) as { city: string; days: number }
  assert.ok(['Rome', 'Paris'].includes(given.city) && given.days >= 1 && given.days <= 9)
})
