import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai'
import { type Body, endless, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

interface RevisionData {
  readonly text: string
  readonly current: boolean
  readonly scores: readonly unknown[]
  readonly critiques: readonly string[]
}
type Data = {
  run: { run_id: string; status: string }
  revision: RevisionData
  status: { text: string }
}
type Message = UIMessage<unknown, Data>

const question: Message = {
  id: 'm1',
  role: 'user',
  parts: [{ type: 'text', text: 'What is 6 × 7?' }],
}

const connect = async (t: TestContext, runs = new FakeRuns(), body: object = {}) => {
  const server = await listen(t, runs)
  const api = `${server.url}/v1/ui/chat`
  const transport = new DefaultChatTransport<Message>({
    api,
    body: { model: 'pebble:best-of-n', ...body },
  })
  const submit = (messages: Message[] = [question], abortSignal?: AbortSignal) =>
    transport.sendMessages({
      trigger: 'submit-message',
      chatId: 'c1',
      messageId: undefined,
      messages,
      abortSignal,
    })
  return { ...server, api, transport, submit }
}

const chunksOf = async (stream: ReadableStream<UIMessageChunk>): Promise<UIMessageChunk[]> => {
  const chunks: UIMessageChunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

const messageOf = async (stream: ReadableStream<UIMessageChunk>): Promise<Message> => {
  let last: Message | undefined
  for await (const message of readUIMessageStream<Message>({ stream })) last = message
  assert.ok(last !== undefined)
  return last
}

const partsOf = <Name extends keyof Data>(message: Message, name: Name): Data[Name][] =>
  message.parts.flatMap((part) =>
    part.type === `data-${name}` ? [(part as { data: unknown }).data as Data[Name]] : [],
  )

test('the AI SDK shows revisions that are replaced in place, and the answer as text', async (t) => {
  const { submit, runs } = await connect(t)
  const message = await messageOf(await submit())
  assert.equal(message.id, 'msg_1')
  const texts = message.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  assert.deepEqual(texts, ['It is 42.'])
  assert.deepEqual(
    partsOf(message, 'run').map(({ run_id, status }) => [run_id, status]),
    [['run_1', 'completed']],
  )
  const revisions = partsOf(message, 'revision')
  assert.deepEqual(
    revisions.map(({ text, current }) => [text, current]),
    [
      ['It is 41.', false],
      ['It is 42.', true],
    ],
  )
  assert.deepEqual(revisions[0]?.critiques, ['Off by one.'])
  assert.deepEqual(partsOf(message, 'status'), [], 'what is transient is not kept')
  assert.deepEqual(runs.requests[0]?.messages, [{ role: 'user', content: 'What is 6 × 7?' }])
})

test('the AI SDK is told what happens meanwhile', async (t) => {
  const { submit } = await connect(t)
  const chunks = await chunksOf(await submit())
  const told = chunks.flatMap((chunk) => (chunk.type === 'data-status' ? [chunk.data] : []))
  assert.deepEqual((told as Data['status'][]).map(({ text }) => text).slice(0, 2), [
    'Draft 1 begun.',
    'Draft 1: 0.4 by judge.',
  ])
  assert.deepEqual(chunks.at(-1), { type: 'finish', finishReason: 'stop' })
})

test('the AI SDK gets the work as reasoning when it asks for it', async (t) => {
  const { submit } = await connect(t, new FakeRuns(), { refine: { show: 'summary' } })
  const { parts } = await messageOf(await submit())
  const reasoning = parts.flatMap((part) => (part.type === 'reasoning' ? [part.text] : []))
  assert.equal(reasoning.length, 2)
  assert.match(reasoning[1]!, /Off by one\./)
})

test('the AI SDK sends its own answers back, of which only the text counts', async (t) => {
  const { submit, runs } = await connect(t)
  const answer = await messageOf(await submit())
  await messageOf(await submit([question, answer, { ...question, id: 'm2' }]))
  assert.deepEqual(runs.requests[1]?.messages, [
    { role: 'user', content: 'What is 6 × 7?' },
    { role: 'assistant', content: 'It is 42.' },
    { role: 'user', content: 'What is 6 × 7?' },
  ])
})

test('the AI SDK leaves, takes the answer up again, and stops it', async (t) => {
  const { submit, transport, api, runs } = await connect(
    t,
    new FakeRuns(endless(refinement.slice(0, 6))),
  )
  assert.equal(await transport.reconnectToStream({ chatId: 'c1' }), null)
  const leaving = new AbortController()
  const reader = (await submit([question], leaving.signal)).getReader()
  await reader.read()
  leaving.abort()
  await reader.cancel().catch(() => undefined)
  const again = await transport.reconnectToStream({ chatId: 'c1' })
  assert.ok(again !== null)
  const rest = chunksOf(again)
  const stop = await fetch(`${api}/c1/stop`, { method: 'POST' })
  assert.deepEqual(await stop.json(), { stopped: true })
  const chunks = await rest
  assert.equal(chunks[0]?.type, 'start')
  assert.deepEqual(chunks.at(-1), { type: 'abort', reason: 'cancelled' })
  assert.ok(chunks.some((chunk) => chunk.type === 'text-delta' && chunk.delta === 'It is 41.'))
  assert.deepEqual(runs.cancelled, ['run_1'])
  assert.equal(await transport.reconnectToStream({ chatId: 'c1' }), null)
  const idle = await fetch(`${api}/c1/stop`, { method: 'POST' })
  assert.deepEqual(await idle.json(), { stopped: false })
})

test('a chat that asks again cancels the answer under way', async (t) => {
  const { submit, runs } = await connect(t, new FakeRuns(endless()))
  await (await submit()).getReader().read()
  await (await submit()).getReader().read()
  assert.deepEqual(runs.cancelled, ['run_1'])
})

test('a chat may ask that leaving cancels', async (t) => {
  const runs = new FakeRuns(endless())
  const { submit } = await connect(t, runs, { on_disconnect: 'cancel' })
  const cancelled = new Promise<string>((resolve) => (runs.onCancel = resolve))
  const leaving = new AbortController()
  await (await submit([question], leaving.signal)).getReader().read()
  leaving.abort()
  assert.equal(await cancelled, 'run_1')
})

test('the AI SDK is told of failures, before the stream and in it', async (t) => {
  const { submit, runs } = await connect(t)
  const file = { type: 'file' as const, mediaType: 'application/pdf', url: 'data:,' }
  await assert.rejects(submit([{ ...question, parts: [file] }]), /files are not supported/)
  const error = { code: 'all_candidates_failed', message: 'Every draft failed.' }
  const failed: Body = { type: 'run.failed', answer: null, usage, error }
  runs.script = scripted([...refinement.slice(0, 4), failed])
  const chunks = await chunksOf(await submit())
  assert.deepEqual(chunks.slice(-3), [
    { type: 'error', errorText: 'Every draft failed.' },
    { type: 'finish-step' },
    { type: 'finish', finishReason: 'error' },
  ])
})

test('the AI SDK is told when the server closes before the answer, and takes no part of it for the whole', async (t) => {
  const { submit, app } = await connect(t, new FakeRuns(endless(refinement.slice(0, 6))))
  const stream = await submit()
  const seen: UIMessageChunk[] = []
  let closing: Promise<void> | undefined
  for await (const chunk of stream) {
    seen.push(chunk)
    if (chunk.type === 'data-revision') closing ??= app.close()
  }
  await closing
  assert.deepEqual(seen.at(-1), { type: 'error', errorText: 'The server is closing.' })
})
