/** Tool calls of upstreams: sent as they are asked for, and put together from whatever fragments come. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { GenerationChunk } from '../../src/core/language-model.ts'
import {
  ask,
  collect,
  createModel,
  DONE,
  event,
  finish,
  NEVER,
  startUpstream,
  stream,
} from './upstream.ts'

const tools = [{ type: 'function' as const, function: { name: 'add', parameters: {} } }]

const fragment = (...calls: readonly object[]): string =>
  event({ choices: [{ index: 0, delta: { tool_calls: calls } }] })

const callsOf = (chunks: readonly GenerationChunk[]) =>
  chunks.flatMap((chunk) =>
    chunk.type === 'tool_call' ? [[chunk.call.function.name, chunk.call.function.arguments]] : [],
  )

const reasonOf = (chunks: readonly GenerationChunk[]): unknown =>
  chunks.flatMap((chunk) => (chunk.type === 'finish' ? [chunk.reason.unified] : []))[0]

const read = async (t: test.TestContext, ...events: readonly string[]) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(events.join('') + DONE)
  })
  const request = ask({ tools, toolChoice: 'required', parallelToolCalls: false })
  const chunks = await collect(createModel(t, upstream).generate(request, { signal: NEVER }))
  return { chunks, seen: upstream.seen }
}

test('tools, choice and parallelism are sent in OpenAI’s form', async (t) => {
  const { seen } = await read(t, finish('stop'))
  const { tools: sent, tool_choice, parallel_tool_calls } = seen[0]!.body
  assert.deepEqual([sent, tool_choice, parallel_tool_calls], [tools, 'required', false])
})

test('fragments are put together by index, also when they are interleaved', async (t) => {
  const { chunks } = await read(
    t,
    fragment({ index: 0, id: 'a', function: { name: 'add', arguments: '' } }),
    fragment({ index: 1, id: 'b', function: { name: 'sub', arguments: '{"x"' } }),
    fragment(
      { index: 0, function: { arguments: '{"y":' } },
      { index: 1, function: { arguments: ':1}' } },
    ),
    fragment({ index: 0, function: { arguments: '2}' } }),
    finish('tool_calls'),
  )
  assert.deepEqual(callsOf(chunks), [
    ['add', '{"y":2}'],
    ['sub', '{"x":1}'],
  ])
  assert.equal(reasonOf(chunks), 'tool_calls')
})

test('without an index a new id begins a new call; missing and repeated ids are made up', async (t) => {
  const { chunks } = await read(
    t,
    fragment({ id: 'a', function: { name: 'add', arguments: '{' } }),
    fragment({ function: { arguments: '}' } }),
    fragment({ id: 'b', function: { name: 'add', arguments: { z: 1 } } }),
    fragment({ index: 7, id: 'a', function: { name: 'sub' } }),
    finish('stop'),
  )
  assert.deepEqual(callsOf(chunks), [
    ['add', '{}'],
    ['add', '{"z":1}'],
    ['sub', '{}'],
  ])
  const ids = chunks.flatMap((chunk) => (chunk.type === 'tool_call' ? [chunk.call.id] : []))
  assert.equal(new Set(ids).size, 3)
  assert.equal(reasonOf(chunks), 'tool_calls', 'whatever the upstream calls it')
})

test('an upstream that breaks off in the middle of a call gives no call', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(fragment({ index: 0, id: 'a', function: { name: 'add', arguments: '{' } }))
  })
  const chunks = await collect(createModel(t, upstream).generate(ask({ tools }), { signal: NEVER }))
  assert.deepEqual(callsOf(chunks), [])
  assert.ok(chunks.some(({ type }) => type === 'failure'))
})
