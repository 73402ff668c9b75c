import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { ReadableStream } from 'node:stream/web'
import test from 'node:test'
import {
  collectRun,
  createClient,
  foldRun,
  WhetstoneError,
  type ClientOptions,
  type RunEvent,
} from '../../src/client/index.ts'
import { endless, FakeRuns, refinement } from '../support/fake-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'

const retry = { attempts: 3, delayMs: 1 }

const clientOf = ({ url }: TestServer, options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: url, retry, ...options })

const all = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** A fetch whose event streams, or the first ones, break after so many events each. */
const cutting = (events: number, streams = Infinity): typeof fetch => {
  let left = streams
  return async (...request) => {
    const response = await fetch(...request)
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response
    if (left-- <= 0) return response
    const frames = framesOf(response.body!.pipeThrough(new TextDecoderStream()).getReader())
    let seen = 0
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      const { value, done } = await frames.next()
      if (done === true) return controller.close()
      if (seen === events) return controller.error(new TypeError('terminated'))
      if (value.startsWith('id:')) seen++
      controller.enqueue(new TextEncoder().encode(value))
    }
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), response)
  }
}

async function* framesOf(
  reader: ReadableStreamDefaultReader<string>,
): AsyncGenerator<string, void, void> {
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const frames = (rest + value).split(/(?<=\n\n)/)
    rest = frames.at(-1)!.endsWith('\n\n') ? '' : frames.pop()!
    yield* frames
  }
}

test('a run can be waited for, looked at, listed, rated and cancelled', async (t) => {
  const server = await listen(t)
  const { runs } = clientOf(server)
  const run = await runs.create({ input: 'What?' })
  assert.equal(run.answer?.text, 'It is 42.')
  assert.deepEqual(await runs.retrieve(run.id), run)
  assert.deepEqual(await runs.cancel(run.id), run)
  const note = await runs.feedback(run.id, { metric: 'correct', value: true, source: 'user' })
  assert.deepEqual(await runs.listFeedback(run.id), [note])
  for (let more = 0; more < 4; more++) await runs.create({ input: 'And?' })
  const listed = await all(runs.list({ pageSize: 2, order: 'asc' }))
  assert.deepEqual(
    listed.map(({ id }) => id),
    ['run_1', 'run_2', 'run_3', 'run_4', 'run_5'],
  )
})

test('strategies, models and estimates come in the server’s own words', async (t) => {
  const client = clientOf(await listen(t))
  const [strategy] = await client.strategies()
  assert.equal(strategy?.name, 'single')
  assert.equal(strategy?.options !== undefined, true)
  const models = await client.models()
  assert.deepEqual(
    models.map(({ id, strategy: name, owned_by }) => [id, name, owned_by]),
    [
      ['pebble', null, 'onnx'],
      ['pebble:single', 'single', 'onnx'],
      ['pebble:best-of-n', 'best-of-n', 'onnx'],
    ],
  )
  const estimate = await client.estimate({ input: 'What?' })
  assert.deepEqual(estimate.worst_case, { calls: 2, input_tokens: 10, output_tokens: 20, cost: 0 })
  assert.deepEqual(estimate.by_role[0], {
    role: 'generator',
    calls: 2,
    input_tokens: 10,
    output_tokens: 20,
  })
})

test('a stream gives the log, and its fold is the run', async (t) => {
  const server = await listen(t)
  const { runs } = clientOf(server)
  const events = await all(runs.stream({ input: 'What?' }))
  assert.deepEqual(events, server.runs.entries.get('run_1')!.events)
  assert.deepEqual(foldRun(events), await runs.retrieve('run_1'))
  const seen: number[] = []
  const run = await collectRun(runs.events('run_1'), ({ last_sequence }) =>
    seen.push(last_sequence),
  )
  assert.deepEqual(run, foldRun(events))
  assert.equal(seen.length, events.length)
})

test('a stream is a run that somebody waits for, and that waits for its reader', async (t) => {
  const server = await listen(t)
  const { runs } = clientOf(server)
  await all(runs.stream({ input: 'What?' }))
  await all(runs.stream({ input: 'What?', grace_seconds: 1 }))
  await all(runs.stream({ input: 'What?' }, { onLeave: 'continue' }))
  assert.deepEqual(
    server.runs.requests.map(({ background, grace_seconds: grace, on_disconnect: policy }) => [
      background,
      grace,
      policy,
    ]),
    [
      [undefined, 30, undefined],
      [undefined, 1, undefined],
      [undefined, undefined, 'continue'],
    ],
  )
})

test('a stream that breaks before its first event is taken up where the reply says that the run is', async (t) => {
  const server = await listen(t)
  const { runs } = clientOf(server, { fetch: cutting(0, 1) })
  assert.deepEqual(
    await all(runs.stream({ input: 'What?' })),
    server.runs.entries.get('run_1')!.events,
  )
})

test('a stream cut behind any event is whole nevertheless', async (t) => {
  const server = await listen(t)
  for (let events = 1; events <= refinement.length; events++) {
    const { runs } = clientOf(server, { fetch: cutting(events) })
    const heard = await all(runs.stream({ input: 'What?' }))
    assert.deepEqual(heard, server.runs.entries.get(`run_${events}`)!.events, `cut at ${events}`)
  }
})

test('a stream can be taken up behind any event, also the last', async (t) => {
  const server = await listen(t)
  const { runs } = clientOf(server)
  const log = await all(runs.stream({ input: 'What?' }))
  for (let after = 0; after <= log.length; after++) {
    assert.deepEqual(await all(runs.events('run_1', { after })), log.slice(after))
  }
})

test('a connection that brings nothing is given up after the attempts allowed', async (t) => {
  const server = await listen(t)
  let calls = 0
  const counting: typeof fetch = (...request) => {
    calls++
    return cutting(0)(...request)
  }
  const { runs } = clientOf(server, { fetch: counting })
  await server.runs.create({ input: 'What?' }, '')
  await assert.rejects(all(runs.events('run_1')), (error) => {
    assert.ok(error instanceof WhetstoneError)
    assert.deepEqual([error.code, error.status, error.retryable], ['connection_failed', 0, true])
    return true
  })
  assert.equal(calls, 1 + retry.attempts)
})

test('breaking off the loop cancels the run, unless it shall go on', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const { runs } = clientOf(server)
  for await (const event of runs.stream({ input: 'What?' })) {
    if (event.type === 'candidate.delta') break
  }
  assert.deepEqual(server.runs.cancelled, ['run_1'])
  for await (const event of runs.stream({ input: 'What?' }, { onLeave: 'continue' })) {
    if (event.type === 'candidate.delta') break
  }
  assert.deepEqual(server.runs.cancelled, ['run_1'])
  const hint = { action: 'hint', text: 'Count again.' } as const
  assert.deepEqual((await runs.steer('run_2', hint)).steering, [hint])
  assert.equal((await runs.cancel('run_2')).status, 'cancelled')
})

test('aborting throws the reason, at once, and cancels the run', async (t) => {
  const server = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const { runs } = clientOf(server)
  const stop = new AbortController()
  const heard: RunEvent[] = []
  await assert.rejects(
    async () => {
      for await (const event of runs.stream({ input: 'What?' }, { signal: stop.signal })) {
        heard.push(event)
        if (heard.length === 4) setImmediate(() => stop.abort(new Error('enough')))
      }
    },
    { message: 'enough' },
  )
  assert.equal(heard.length, 4)
  assert.deepEqual(server.runs.cancelled, ['run_1'])
})

test('aborting before the server answered cancels the run it makes', async (t) => {
  const server = await listen(t, new FakeRuns(endless()))
  const stop = new AbortController()
  const cancelled = new Promise<string>((resolve) => (server.runs.onCancel = resolve))
  const aborting: typeof fetch = (...request) => {
    const response = fetch(...request)
    stop.abort(new Error('too late'))
    return response
  }
  const client = createClient({ baseUrl: server.url, retry, fetch: aborting })
  await assert.rejects(all(client.runs.stream({ input: 'What?' }, { signal: stop.signal })), {
    message: 'too late',
  })
  assert.equal(await cancelled, 'run_1')
})

test('errors tell status, code and every field at fault', async (t) => {
  const { runs } = clientOf(await listen(t))
  const wrong = { input: 'What?', budget: { calls: 0 } }
  await assert.rejects(runs.create(wrong), (error) => {
    assert.ok(error instanceof WhetstoneError)
    assert.equal(error.status, 400)
    assert.equal(error.code, 'invalid_request')
    assert.equal(error.param, 'budget.calls')
    assert.equal(error.fields[0]?.pointer, '/budget/calls')
    assert.match(error.requestId ?? '', /./)
    assert.equal(error.retryable, false)
    return true
  })
  await assert.rejects(runs.retrieve('run_none'), { code: 'run_not_found', status: 404 })
  await assert.rejects(all(runs.events('run_none')), { code: 'run_not_found' })
})

test('an answer that is not the server’s is an error too', async (t) => {
  const html = () =>
    Promise.resolve(
      new Response('<h1>Bad gateway</h1>', {
        status: 502,
        statusText: 'Bad Gateway',
        headers: { 'retry-after': '3' },
      }),
    )
  const { runs } = clientOf(await listen(t), { fetch: html })
  await assert.rejects(runs.retrieve('run_1'), {
    message: 'Bad Gateway',
    status: 502,
    code: 'unknown',
    retryAfter: 3,
    retryable: true,
  })
  assert.throws(() => createClient({ baseUrl: 'localhost' }), /baseUrl must be an http/)
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:9' })
  await assert.rejects(nobody.runs.retrieve('run_1'), { code: 'connection_failed' })
})

test('the key is sent with every call', async (t) => {
  const keys = [{ name: 'ann', sha256: createHash('sha256').update('secret').digest('hex') }]
  const server = await listen(t, new FakeRuns(), { keys })
  await assert.rejects(clientOf(server).models(), { status: 401, code: 'unauthenticated' })
  const events = await all(clientOf(server, { apiKey: 'secret' }).runs.stream({ input: 'What?' }))
  assert.equal(events.at(-1)?.type, 'run.completed')
})
