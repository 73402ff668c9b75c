import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { assertWithin } from '../support/within.ts'
import test from 'node:test'
import type { GenerationChunk } from '../../src/core/language-model.ts'
import {
  ask,
  collect,
  createModel,
  delta,
  DONE,
  event,
  finish,
  NEVER,
  startUpstream,
  stream,
  textOf,
  usage,
} from './upstream.ts'

const SIGNAL = { signal: NEVER }
const failureCodes = (chunks: readonly GenerationChunk[]): string[] =>
  chunks.flatMap((chunk) => (chunk.type === 'failure' ? [chunk.error.code] : []))

for (const status of [408, 409, 429, 500, 503]) {
  test(`status ${status} is tried again until it works`, async (t) => {
    const upstream = await startUpstream(t, (response, _seen, call) => {
      if (call < 3) response.writeHead(status).end('{"error":{"message":"later"}}')
      else stream(response).end(delta('ok') + finish('stop') + DONE)
    })
    const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
    assert.equal(textOf(chunks), 'ok')
    assert.equal(upstream.seen.length, 3)
  })
}

test('attempts are limited, and the last error is told', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    response.writeHead(503).end('{"error":{"message":"no capacity"}}')
  })
  await assert.rejects(collect(createModel(t, upstream).generate(ask(), SIGNAL)), {
    code: 'upstream_unavailable',
    message: /"remote".*503.*no capacity/,
  })
  assert.equal(upstream.seen.length, 3)
})

for (const [status, body, code] of [
  [400, '{"error":{"message":"bad temperature"}}', 'upstream_rejected'],
  [401, '{"error":{"message":"wrong key secret-key"}}', 'upstream_rejected'],
  [403, '{"message":"not allowed"}', 'upstream_rejected'],
  [404, '{"detail":"no such model"}', 'upstream_rejected'],
  [422, '{"detail":[{"loc":["body"],"msg":"field required"}]}', 'upstream_rejected'],
  [
    400,
    '{"error":{"message":"too long","code":"context_length_exceeded"}}',
    'context_length_exceeded',
  ],
  [
    400,
    '{"error":{"message":"This model\'s maximum context length is 4096 tokens"}}',
    'context_length_exceeded',
  ],
  [500, '{"error":{"message":"x","type":"exceed_context_size_error"}}', 'context_length_exceeded'],
] as const) {
  test(`status ${status} with ${body} is ${code} at the first attempt`, async (t) => {
    const upstream = await startUpstream(t, (response) => void response.writeHead(status).end(body))
    const model = createModel(t, upstream, { apiKey: 'secret-key' })
    await assert.rejects(
      collect(model.generate(ask(), SIGNAL)),
      (error: Error & { code: string }) => {
        assert.equal(error.code, code)
        assert.doesNotMatch(error.message, /secret-key/)
        return true
      },
    )
    assert.equal(upstream.seen.length, 1)
  })
}

/** Tokens of the prompt that a call tells before it fails. */
const toldBeforeFailing = async (generating: AsyncIterable<GenerationChunk>): Promise<number[]> => {
  const told: number[] = []
  const reading = (async () => {
    for await (const chunk of generating) if (chunk.type === 'usage') told.push(chunk.inputTokens)
  })()
  await assert.rejects(reading)
  return told
}

test('what an upstream refused before it read anything costs nothing', async (t) => {
  const told = async (answers: readonly number[]): Promise<number[]> => {
    const upstream = await startUpstream(t, (response, _seen, call) => {
      response.writeHead(answers[call - 1] ?? answers.at(-1)!).end('{}')
    })
    return toldBeforeFailing(createModel(t, upstream).generate(ask(), SIGNAL))
  }
  for (const status of [400, 401, 404, 429])
    assert.deepEqual(await told([status]), [0], `${status}`)
  for (const status of [408, 500, 503]) assert.deepEqual(await told([status]), [], `${status}`)
  // The first try may have been read.
  assert.deepEqual(await told([500, 429]), [])
  const nowhere = createModel(t, { baseUrl: 'http://127.0.0.1:1/v1' })
  assert.deepEqual(await toldBeforeFailing(nowhere.generate(ask(), SIGNAL)), [0])
})

test('samples that are asked for one by one cost what was read of them', async (t) => {
  const cost = async (status: number): Promise<number> => {
    const upstream = await startUpstream(t, (response, _seen, call) => {
      if (call === 1) stream(response).end(delta('ok') + finish('stop') + usage(10, 1) + DONE)
      else response.writeHead(status).end('{}')
    })
    const retries = { limit: 0, baseMs: 1, maxMs: 1 }
    const capabilities = { parallel_samples: 'emulated' } as const
    const model = createModel(t, upstream, { retries, capabilities })
    const chunks = await collect(model.generate(ask({ samples: 2 }), SIGNAL))
    assert.deepEqual(failureCodes(chunks).length, 1)
    return chunks.flatMap((chunk) => (chunk.type === 'usage' ? [chunk.inputTokens] : []))[0]!
  }
  assert.equal(await cost(401), 10)
  assert.ok((await cost(500)) > 10)
})

test('x-should-retry overrules the status', async (t) => {
  for (const [status, said, calls] of [
    [503, 'false', 1],
    [400, 'true', 3],
  ] as const) {
    const upstream = await startUpstream(t, (response) => {
      response.writeHead(status, { 'x-should-retry': said }).end('{}')
    })
    await assert.rejects(collect(createModel(t, upstream).generate(ask(), SIGNAL)))
    assert.equal(upstream.seen.length, calls)
  }
})

test('retry-after is waited for instead of our own pause', async (t) => {
  const upstream = await startUpstream(t, (response, _seen, call) => {
    if (call === 1)
      response.writeHead(429, { 'retry-after-ms': '1', 'retry-after': '50' }).end('{}')
    else stream(response).end(delta('ok') + finish('stop') + DONE)
  })
  // Our own pause would outlast the test.
  const model = createModel(t, upstream, { retries: { limit: 1, baseMs: 1e6, maxMs: 1e6 } })
  assert.equal(textOf(await collect(model.generate(ask(), SIGNAL))), 'ok')
})

test('a pause of more than a minute is not waited for but told', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end('{}')
  })
  await assert.rejects(collect(createModel(t, upstream).generate(ask(), SIGNAL)), {
    code: 'upstream_unavailable',
    retryAfter: 3600,
  })
  assert.equal(upstream.seen.length, 1)
})

test('a connection that breaks before any text is tried again', async (t) => {
  const upstream = await startUpstream(t, (response, _seen, call) => {
    if (call === 1) response.destroy()
    else if (call === 2) stream(response).write(': hello\n\n', () => response.destroy())
    else stream(response).end(delta('ok') + finish('stop') + DONE)
  })
  assert.equal(textOf(await collect(createModel(t, upstream).generate(ask(), SIGNAL))), 'ok')
  assert.equal(upstream.seen.length, 3)
})

test('a connection that breaks after text is a failure of the open samples and not repeated', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).write(delta('a', 0) + finish('stop', 0) + delta('b', 1), () =>
      response.destroy(),
    )
  })
  const chunks = await collect(createModel(t, upstream).generate(ask({ samples: 2 }), SIGNAL))
  assert.equal(upstream.seen.length, 1)
  assert.deepEqual(
    chunks.map((chunk) => chunk.type),
    ['delta', 'finish', 'delta', 'failure', 'usage'],
  )
  assert.deepEqual(failureCodes(chunks), ['upstream_unavailable'])
})

test('a stream that ends in the middle of an answer is a failure', async (t) => {
  const upstream = await startUpstream(t, (response) => void stream(response).end(delta('half')))
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  assert.deepEqual(failureCodes(chunks), ['upstream_unavailable'])
})

test('a stream without an answer is tried again and then an error', async (t) => {
  const upstream = await startUpstream(t, (response) => void stream(response).end(DONE))
  await assert.rejects(collect(createModel(t, upstream).generate(ask(), SIGNAL)), {
    code: 'upstream_unavailable',
  })
  assert.equal(upstream.seen.length, 3)
})

test('an error in the stream after text is a failure with the upstream’s words', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('half') + event({ error: { message: 'out of memory', code: 500 } }))
  })
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  const failure = chunks.find((chunk) => chunk.type === 'failure')
  assert.equal(failure?.error.code, 'upstream_unavailable')
  assert.match(failure?.error.message ?? '', /out of memory/)
})

test('an error in the stream before text is tried again, unless it is a refusal', async (t) => {
  for (const [code, calls] of [
    [500, 3],
    [400, 1],
  ] as const) {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(event({ error: { message: 'x', code } }))
    })
    await assert.rejects(collect(createModel(t, upstream).generate(ask(), SIGNAL)))
    assert.equal(upstream.seen.length, calls)
  }
})

test('an event that is no JSON, or larger than a megabyte, is a failure', async (t) => {
  for (const bad of ['data: {oops\n\n', `data: ${'x'.repeat(2_000_000)}\n\n`]) {
    const upstream = await startUpstream(
      t,
      (response) => void stream(response).end(delta('a') + bad),
    )
    const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
    assert.deepEqual(failureCodes(chunks), ['upstream_unavailable'])
  }
})

test('silence before the first byte is a time-out, without another attempt', async (t) => {
  const timeouts = { connectMs: 1000, firstByteMs: 30, betweenBytesMs: 1000 }
  for (const withHead of [false, true]) {
    const upstream = await startUpstream(t, (response) => {
      if (withHead) stream(response).flushHeaders()
    })
    await assert.rejects(collect(createModel(t, upstream, { timeouts }).generate(ask(), SIGNAL)), {
      code: 'upstream_timeout',
      message: /nothing within 30 ms/,
    })
    // On a busy machine the upstream may not have got round to the first.
    assert.ok(upstream.seen.length <= 1)
  }
})

test('silence between bytes is a failure of the sample', async (t) => {
  const upstream = await startUpstream(t, (response) => void stream(response).write(delta('a')))
  const timeouts = { connectMs: 1000, firstByteMs: 1000, betweenBytesMs: 30 }
  const chunks = await collect(createModel(t, upstream, { timeouts }).generate(ask(), SIGNAL))
  assert.deepEqual(failureCodes(chunks), ['upstream_timeout'])
})

test('a slow reader of ours does not look like a silent upstream', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).write(delta('a'), () => response.end(delta('b') + finish('stop') + DONE))
  })
  const timeouts = { connectMs: 1000, firstByteMs: 2000, betweenBytesMs: 20 }
  let text = ''
  for await (const chunk of createModel(t, upstream, { timeouts }).generate(ask(), SIGNAL)) {
    if (chunk.type === 'delta') text += chunk.text
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  assert.equal(text, 'ab')
})

test('an upstream that never closes after its last sample is not waited for', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).write(delta('a') + finish('stop'))
  })
  const timeouts = { connectMs: 1000, firstByteMs: 1000, betweenBytesMs: 30 }
  const chunks = await collect(createModel(t, upstream, { timeouts }).generate(ask(), SIGNAL))
  assert.deepEqual(
    chunks.map((chunk) => chunk.type),
    ['delta', 'finish', 'usage'],
  )
})

test('an abort closes the connection within 100 ms and throws its reason', async (t) => {
  let closed: Promise<number> | undefined
  const upstream = await startUpstream(t, (response) => {
    closed = once(response, 'close').then(() => performance.now())
    stream(response).write(delta('a'))
  })
  const reason = new Error('enough')
  await assertWithin(t, 100, async () => {
    const controller = new AbortController()
    let abortedAt = NaN
    await assert.rejects(
      async () => {
        for await (const chunk of createModel(t, upstream).generate(ask(), controller)) {
          assert.equal(chunk.type, 'delta')
          setImmediate(() => {
            abortedAt = performance.now()
            controller.abort(reason)
          })
        }
      },
      (thrown) => thrown === reason,
    )
    return (await closed!) - abortedAt
  })
})

test('an abort before the head of the answer, and in every emulated sample, closes the connections', async (t) => {
  let open = 0
  let allClosed = (): void => undefined
  const closed = new Promise<void>((resolve) => (allClosed = resolve))
  const controller = new AbortController()
  const upstream = await startUpstream(t, (response) => {
    if (++open === 3) controller.abort()
    response.once('close', () => --open === 0 && allClosed())
  })
  const model = createModel(t, upstream, { capabilities: { parallel_samples: 'emulated' } })
  await assert.rejects(collect(model.generate(ask({ samples: 3 }), controller)), {
    name: 'AbortError',
  })
  await closed
})

test('leaving the stream early closes the connection', async (t) => {
  let closed: Promise<unknown> | undefined
  const upstream = await startUpstream(t, (response) => {
    closed = once(response, 'close')
    stream(response).write(delta('a'))
  })
  for await (const chunk of createModel(t, upstream).generate(ask(), SIGNAL)) {
    assert.equal(chunk.type, 'delta')
    break
  }
  await closed
})

test('an abort ends the pause between attempts', async (t) => {
  const controller = new AbortController()
  const upstream = await startUpstream(t, (response) => {
    response.writeHead(503).end('{}', () => setImmediate(() => controller.abort()))
  })
  const model = createModel(t, upstream, { retries: { limit: 5, baseMs: 1e6, maxMs: 1e6 } })
  await assert.rejects(collect(model.generate(ask(), controller)), { name: 'AbortError' })
})

test('a kept connection that the upstream closed meanwhile costs no attempt', async (t) => {
  const used = new WeakSet<object>()
  let hangUps = 0
  const upstream = await startUpstream(t, (response) => {
    const { socket } = response
    assert.ok(socket !== null)
    // The first connection that is used again is closed without a word.
    if (used.has(socket) && hangUps === 0) {
      hangUps++
      socket.destroy()
      return
    }
    used.add(socket)
    stream(response).end(delta('ok') + finish('stop') + DONE)
  })
  const model = createModel(t, upstream, { retries: { limit: 0 } })
  for (let call = 0; call < 5; call++) {
    assert.equal(textOf(await collect(model.generate(ask(), SIGNAL))), 'ok')
  }
  assert.equal(hangUps, 1)
})

test('an address that takes no connection is a failure of the connection', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const model = createModel(t, { baseUrl: `http://127.0.0.1:${port}/v1` })
  await assert.rejects(collect(model.generate(ask(), SIGNAL)), {
    code: 'upstream_unavailable',
    message: /ECONNREFUSED/,
  })
})
