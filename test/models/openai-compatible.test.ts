import assert from 'node:assert/strict'
import test from 'node:test'
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

test('a plain stream becomes deltas, one finish and one usage', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('4') + delta('2') + finish('stop') + usage(11, 3, 8) + DONE)
  })
  const model = createModel(t, upstream, { apiKey: 'secret-key', headers: { 'x-team': 'blue' } })
  const chunks = await collect(
    model.generate(
      ask({ sampling: { temperature: 0.5, top_p: 0.9, max_tokens: 9, stop: ['\n'] } }),
      SIGNAL,
    ),
  )
  assert.deepEqual(chunks, [
    { type: 'delta', sample: 0, text: '4' },
    { type: 'delta', sample: 0, text: '2' },
    { type: 'finish', sample: 0, reason: { unified: 'stop', raw: 'stop' }, outputTokens: 3 },
    { type: 'usage', inputTokens: 11, cachedTokens: 8 },
  ])
  const [call] = upstream.seen
  assert.equal(call?.url, '/v1/chat/completions')
  assert.equal(call?.headers.authorization, 'Bearer secret-key')
  assert.equal(call?.headers['x-team'], 'blue')
  assert.deepEqual(call?.body, {
    model: 'some-name',
    messages: [{ role: 'user', content: 'What is 6 times 7?' }],
    stream: true,
    stream_options: { include_usage: true },
    seed: 7,
    temperature: 0.5,
    top_p: 0.9,
    max_tokens: 9,
    stop: ['\n'],
  })
})

test('the query string of the base URL is kept', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('x') + finish('stop') + DONE)
  })
  const model = createModel(t, { baseUrl: `${upstream.baseUrl}/?api-version=3` })
  await collect(model.generate(ask(), SIGNAL))
  assert.equal(upstream.seen[0]?.url, '/v1/chat/completions?api-version=3')
})

test('comments, unknown fields, CRLF, empty choices and a missing [DONE] are taken', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    const text =
      ': hello\n\nretry: 10\nfoo: bar\n\n' +
      event({ choices: [] }) +
      event({
        id: 1,
        odd: { a: [] },
        choices: [{ index: 0, delta: { role: 'assistant', content: null } }],
      }) +
      event({ choices: [{ delta: { content: [{ type: 'text', text: 'fine' }], unknown: 1 } }] }) +
      ': still here\n\n' +
      finish('length')
    stream(response).end(text.replaceAll('\n', '\r\n'))
  })
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  assert.equal(textOf(chunks), 'fine')
  assert.deepEqual(chunks.slice(1), [
    { type: 'finish', sample: 0, reason: { unified: 'length', raw: 'length' }, outputTokens: 1 },
    { type: 'usage', inputTokens: 13, cachedTokens: 0 },
  ])
})

test('text survives packets that end inside a character, and deltas that split a surrogate pair', async (t) => {
  const upstream = await startUpstream(t, async (response) => {
    const bytes = Buffer.from(
      delta('naïve 東京 🙂') +
        event({ choices: [{ index: 0, delta: { content: '\ud83d' } }] }) +
        event({ choices: [{ index: 0, delta: { content: '\ude42!' } }] }) +
        finish('stop') +
        DONE,
    )
    stream(response)
    response.socket?.setNoDelay(true)
    for (const byte of bytes) {
      await new Promise((resolve) => response.write(Buffer.of(byte), resolve))
    }
    response.end()
  })
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  assert.equal(textOf(chunks), 'naïve 東京 🙂🙂!')
  for (const chunk of chunks) {
    if (chunk.type === 'delta') assert.ok(!/[\ud800-\udbff]$|^[\udc00-\udfff]/.test(chunk.text))
  }
})

test('an upstream that answers without streaming is read as one delta', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(
      JSON.stringify({
        choices: [
          { index: 0, message: { role: 'assistant', content: '42' }, finish_reason: 'stop' },
        ],
        usage: { prompt_tokens: 5, completion_tokens: 2 },
      }),
    )
  })
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  assert.deepEqual(chunks, [
    { type: 'delta', sample: 0, text: '42' },
    { type: 'finish', sample: 0, reason: { unified: 'stop', raw: 'stop' }, outputTokens: 2 },
    { type: 'usage', inputTokens: 5, cachedTokens: 0 },
  ])
})

test('reasoning is no answer text but counts as output', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(
      event({ choices: [{ index: 0, delta: { reasoning_content: 'six ' } }] }) +
        event({ choices: [{ index: 0, delta: { reasoning: 'sevens' } }] }) +
        delta('42') +
        finish('stop') +
        DONE,
    )
  })
  const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
  assert.equal(textOf(chunks), '42')
  const end = chunks.find((chunk) => chunk.type === 'finish')
  assert.equal(end?.outputTokens, 3)
})

test('log-probabilities come with their tokens and are summed at the finish', async (t) => {
  const logprobs = {
    content: [
      {
        token: '4',
        logprob: -0.5,
        top_logprobs: [
          { token: '4', logprob: -0.5 },
          { token: '5', logprob: -1 },
        ],
      },
    ],
  }
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(
      delta('4', 0, { logprobs }) +
        delta('2', 0, { logprobs: { content: [{ token: '2', logprob: -0.25 }] } }) +
        finish('stop') +
        usage(3, 2) +
        DONE,
    )
  })
  const chunks = await collect(
    createModel(t, upstream).generate(ask({ topLogProbabilities: 2 }), SIGNAL),
  )
  assert.deepEqual(chunks[0], {
    type: 'delta',
    sample: 0,
    text: '4',
    tokens: [
      {
        text: '4',
        logProbability: -0.5,
        alternatives: [
          { text: '4', logProbability: -0.5 },
          { text: '5', logProbability: -1 },
        ],
      },
    ],
  })
  const end = chunks.find((chunk) => chunk.type === 'finish')
  assert.equal(end?.logProbability, -0.75)
  assert.equal(upstream.seen[0]?.body['logprobs'], true)
  assert.equal(upstream.seen[0]?.body['top_logprobs'], 2)
})

test('samples of one call keep apart, and their tokens add up to the upstream’s total', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(
      delta('a', 0) +
        delta('b', 1) +
        finish('stop', 0) +
        delta('c', 1) +
        finish('length', 1) +
        usage(4, 9) +
        DONE,
    )
  })
  const chunks = await collect(createModel(t, upstream).generate(ask({ samples: 2 }), SIGNAL))
  assert.equal(upstream.seen.length, 1)
  assert.equal(upstream.seen[0]?.body['n'], 2)
  assert.equal(textOf(chunks, 0), 'a')
  assert.equal(textOf(chunks, 1), 'bc')
  const tokens = chunks.map((chunk) => (chunk.type === 'finish' ? chunk.outputTokens : 0))
  assert.equal(
    tokens.reduce((sum, count) => sum + count),
    9,
  )
})

test('without native samples each is a call of its own, with its own seed and one usage in sum', async (t) => {
  const upstream = await startUpstream(t, (response, { body }) => {
    stream(response).end(delta(String(body['seed'])) + finish('stop') + usage(10, 1, 4) + DONE)
  })
  const model = createModel(t, upstream, { capabilities: { parallel_samples: 'emulated' } })
  const chunks = await collect(model.generate(ask({ samples: 3 }), SIGNAL))
  assert.equal(new Set([0, 1, 2].map((sample) => textOf(chunks, sample))).size, 3)
  assert.equal(textOf(chunks, 0), '7')
  assert.deepEqual(chunks.at(-1), { type: 'usage', inputTokens: 30, cachedTokens: 12 })
  assert.equal(chunks.filter((chunk) => chunk.type === 'finish').length, 3)
  assert.ok(chunks.some((chunk) => chunk.type === 'warning' && chunk.code === 'emulated_samples'))
})

test('one refused call among emulated samples is the failure of its sample alone', async (t) => {
  const upstream = await startUpstream(t, (response, _seen, call) => {
    if (call === 2) response.writeHead(400).end('{"error":{"message":"no"}}')
    else stream(response).end(delta('ok') + finish('stop') + DONE)
  })
  const model = createModel(t, upstream, { capabilities: { parallel_samples: 'emulated' } })
  const chunks = await collect(model.generate(ask({ samples: 3 }), SIGNAL))
  const failures = chunks.flatMap((chunk) => (chunk.type === 'failure' ? [chunk.error.code] : []))
  assert.deepEqual(failures, ['upstream_rejected'])
  assert.equal(chunks.filter((chunk) => chunk.type === 'finish').length, 2)
})

test('samples that an upstream leaves out are asked for one by one, with a warning', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('x') + finish('stop') + usage(5, 1) + DONE)
  })
  const chunks = await collect(createModel(t, upstream).generate(ask({ samples: 3 }), SIGNAL))
  assert.equal(upstream.seen.length, 3)
  assert.deepEqual(
    [0, 1, 2].map((sample) => textOf(chunks, sample)),
    ['x', 'x', 'x'],
  )
  assert.equal(chunks.filter((chunk) => chunk.type === 'finish').length, 3)
  assert.deepEqual(chunks.at(-1), { type: 'usage', inputTokens: 15, cachedTokens: 0 })
  assert.ok(chunks.some((chunk) => chunk.type === 'warning' && chunk.code === 'emulated_samples'))
})

test('finish reasons are told in our words and the upstream’s', async (t) => {
  for (const [raw, unified] of [
    ['stop', 'stop'],
    ['length', 'length'],
    ['content_filter', 'content_filter'],
    ['tool_calls', 'tool_calls'],
    ['function_call', 'tool_calls'],
    ['something_new', 'other'],
  ] as const) {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(delta('x') + finish(raw) + DONE)
    })
    const chunks = await collect(createModel(t, upstream).generate(ask(), SIGNAL))
    const end = chunks.find((chunk) => chunk.type === 'finish')
    assert.deepEqual(end?.reason, { unified, raw })
  }
})

test('vLLM is told to keep the stop and to go on with the assistant message', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('b\n') + finish('stop') + DONE)
  })
  const model = createModel(t, upstream, { flavour: 'vllm' })
  const chunks = await collect(
    model.generate(
      ask({ keepStop: true, continueFrom: 'a', sampling: { stop: ['\n'], top_k: 0 } }),
      SIGNAL,
    ),
  )
  assert.equal(textOf(chunks), 'b\n')
  assert.ok(!chunks.some((chunk) => chunk.type === 'warning'))
  const body = upstream.seen[0]?.body
  assert.equal(body?.['continue_final_message'], true)
  assert.equal(body?.['add_generation_prompt'], false)
  assert.equal(body?.['include_stop_str_in_output'], true)
  assert.equal(body?.['top_k'], -1)
  assert.deepEqual((body?.['messages'] as unknown[] | undefined)?.at(-1), {
    role: 'assistant',
    content: 'a',
  })
})

test('llama.cpp goes on with an assistant message that comes last, without further fields', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('b') + finish('stop') + DONE)
  })
  const model = createModel(t, upstream, { flavour: 'llama.cpp' })
  const chunks = await collect(model.generate(ask({ continueFrom: 'a' }), SIGNAL))
  assert.ok(!chunks.some((chunk) => chunk.type === 'warning'))
  const body = upstream.seen[0]?.body
  assert.deepEqual((body?.['messages'] as unknown[] | undefined)?.at(-1), {
    role: 'assistant',
    content: 'a',
  })
  assert.equal(body?.['continue_final_message'], undefined)
})

test('elsewhere a continuation is asked for in a new turn, and said to be degraded', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('b') + finish('stop') + DONE)
  })
  const chunks = await collect(
    createModel(t, upstream).generate(ask({ continueFrom: 'a' }), SIGNAL),
  )
  assert.ok(
    chunks.some((chunk) => chunk.type === 'warning' && chunk.code === 'degraded_continuation'),
  )
  const roles = (upstream.seen[0]?.body['messages'] as { role: string }[] | undefined)?.map(
    ({ role }) => role,
  )
  assert.deepEqual(roles, ['user', 'assistant', 'user'])
})

test('a dropped stop string is put back: the one the upstream names, else the first asked for', async (t) => {
  const cases = [
    { more: {}, expected: 'step one\n' },
    { more: { matched_stop: 'END' }, expected: 'step oneEND' },
    { more: { stop_reason: null }, expected: 'step one' },
  ]
  for (const { more, expected } of cases) {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(delta('step one') + finish('stop', 0, more) + DONE)
    })
    const chunks = await collect(
      createModel(t, upstream).generate(
        ask({ keepStop: true, sampling: { stop: ['\n', 'END'] } }),
        SIGNAL,
      ),
    )
    assert.equal(textOf(chunks), expected)
  }
})

test('the end of a sample says which stop string it met where the upstream does', async (t) => {
  const cases = [
    { more: {}, expected: undefined },
    { more: { stop_reason: 'END' }, expected: 'END' }, // vLLM
    { more: { matched_stop: '\n' }, expected: '\n' }, // SGLang
    { more: { stop_reason: null }, expected: undefined },
    { more: { stop_reason: 151645 }, expected: undefined }, // a token of the model's own
    { more: { stop_reason: 'elsewhere' }, expected: undefined },
  ]
  for (const { more, expected } of cases) {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(delta('step one') + finish('stop', 0, more) + DONE)
    })
    const request = ask({ sampling: { stop: ['\n', 'END'] } })
    const chunks = await collect(createModel(t, upstream).generate(request, SIGNAL))
    assert.equal(textOf(chunks), 'step one')
    const end = chunks.find(({ type }) => type === 'finish')
    assert.deepEqual(end, {
      type: 'finish',
      sample: 0,
      reason: { unified: 'stop', raw: 'stop' },
      ...(expected !== undefined && { stopString: expected }),
      outputTokens: 2,
    })
  }
})

test('a stop string is not put back when the text was cut for length, or holds it already', async (t) => {
  for (const [text, reason] of [
    ['step one', 'length'],
    ['step one\n', 'stop'],
  ] as const) {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(delta(text) + finish(reason) + DONE)
    })
    const chunks = await collect(
      createModel(t, upstream).generate(
        ask({ keepStop: true, sampling: { stop: ['\n'] } }),
        SIGNAL,
      ),
    )
    assert.equal(textOf(chunks), text)
  }
})

test('what the model lacks is refused before a call is made', async (t) => {
  const upstream = await startUpstream(t, (response) => void response.end())
  const model = createModel(t, upstream, {
    capabilities: {
      log_probabilities: 'none',
      assistant_continuation: 'none',
      parallel_samples: 'none',
    },
  })
  for (const changes of [{ topLogProbabilities: 0 }, { continueFrom: 'a' }, { samples: 2 }]) {
    await assert.rejects(collect(model.generate(ask(changes), SIGNAL)), {
      code: 'unsupported_capability',
    })
  }
  assert.equal(upstream.seen.length, 0)
})

test('a capability the adapter cannot offer is refused when the model is made', (t) => {
  assert.throws(
    () =>
      createModel(
        t,
        { baseUrl: 'http://127.0.0.1:1/v1' },
        { capabilities: { embeddings: 'native' } },
      ),
    { code: 'invalid_request', message: /capabilities\.embeddings must be "none"/ },
  )
  assert.throws(() => createModel(t, { baseUrl: 'ftp://x' }), { message: /base_url.*ftp:\/\/x/ })
})

test('tokens of a prompt are overestimated from its bytes', (t) => {
  const model = createModel(t, { baseUrl: 'http://127.0.0.1:1/v1' })
  assert.equal(model.countTokens([{ role: 'user', content: 'é'.repeat(30) }]), 20 + 4 + 3)
})

test('connections are kept and used again', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('x') + finish('stop') + DONE)
  })
  const model = createModel(t, upstream)
  await model.ready()
  for (let call = 0; call < 10; call++) await collect(model.generate(ask(), SIGNAL))
  // A call may start while the connection of the one before is still being released.
  assert.ok(upstream.connections() <= 2, `${upstream.connections()} connections`)
})

test('ready passes when the upstream answers at all and fails when it is not there or refuses the key', async (t) => {
  const statuses = [200, 404, 401, 503]
  const upstream = await startUpstream(t, (response, _seen, call) => {
    response.writeHead(statuses[call - 1] ?? 200).end('{}')
  })
  const model = createModel(t, upstream)
  await model.ready()
  await model.ready()
  await assert.rejects(model.ready(), { code: 'upstream_rejected' })
  await assert.rejects(model.ready(), { code: 'upstream_unavailable' })
  const gone = createModel(t, { baseUrl: 'http://127.0.0.1:1/v1' })
  await assert.rejects(gone.ready(), { code: 'upstream_unavailable', message: /ECONNREFUSED/ })
})

const SCHEMA = { type: 'object', properties: { a: { type: 'integer' } } }
const CLOSED = { ...SCHEMA, required: ['a'], additionalProperties: false }
// A property may be called like a keyword.
const NESTED = {
  ...CLOSED,
  properties: { a: { anyOf: [{ type: 'array', items: SCHEMA }, { enum: [SCHEMA] }] } },
}
const VALUES_ONLY = {
  ...CLOSED,
  properties: { required: { type: ['string', 'null'], enum: [null], default: SCHEMA } },
  required: ['required'],
}
const asSchema = (schema: object, strict = true) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict } },
})

for (const [flavour, constraint, expected] of [
  ['openai', { type: 'json_schema', schema: CLOSED }, asSchema(CLOSED)],
  ['openai', { type: 'json_schema', schema: VALUES_ONLY }, asSchema(VALUES_ONLY)],
  ['openai', { type: 'json_schema', schema: SCHEMA }, asSchema(SCHEMA, false)],
  ['openai', { type: 'json_schema', schema: NESTED }, asSchema(NESTED, false)],
  ['openai', { type: 'json_schema', schema: {} }, { response_format: { type: 'json_object' } }],
  ['vllm', { type: 'json_schema', schema: SCHEMA }, asSchema(SCHEMA)],
  ['vllm', { type: 'regex', pattern: 'a+' }, { structured_outputs: { regex: 'a+' } }],
  ['vllm', { type: 'choice', choices: ['a', 'b'] }, { structured_outputs: { choice: ['a', 'b'] } }],
  ['sglang', { type: 'regex', pattern: 'a+' }, { regex: 'a+' }],
  ['sglang', { type: 'choice', choices: ['a.b', 'c'] }, { regex: '(a\\.b|c)' }],
  ['llama.cpp', { type: 'choice', choices: ['a', '"'] }, { grammar: 'root ::= "a" | "\\""' }],
] as const)
  test(`an upstream of the flavour ${flavour} is told of a ${constraint.type}: ${JSON.stringify(expected)}`, async (t) => {
    const upstream = await startUpstream(t, (response) => {
      stream(response).end(delta('a') + finish('stop') + DONE)
    })
    const model = createModel(t, upstream, { flavour })
    await collect(model.generate(ask({ constraint }), SIGNAL))
    const body = upstream.seen[0]!.body
    assert.deepEqual({ ...body, ...expected }, body)
  })

test('a constraint that the upstream has no field for is refused before anything is sent', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(DONE)
  })
  const constraint = { type: 'regex', pattern: 'a' } as const
  for (const flavour of ['openai', 'llama.cpp'] as const) {
    const model = createModel(t, upstream, { flavour })
    await assert.rejects(collect(model.generate(ask({ constraint, samples: 2 }), SIGNAL)), {
      code: 'unsupported_capability',
      param: 'constraint',
    })
  }
  const without = createModel(t, upstream, { capabilities: { constrained_output: 'none' } })
  await assert.rejects(
    collect(without.generate(ask({ constraint: { type: 'json_schema', schema: {} } }), SIGNAL)),
    { code: 'unsupported_capability' },
  )
  assert.equal(upstream.seen.length, 0)
})

test('penalties and min_p go by the names of the flavour, and are told of where they cannot go', async (t) => {
  const upstream = await startUpstream(t, (response) => {
    stream(response).end(delta('a') + finish('stop') + DONE)
  })
  const sampling = {
    min_p: 0.1,
    repetition_penalty: 1.2,
    presence_penalty: 0.5,
    frequency_penalty: -0.5,
  }
  const bodies = []
  for (const flavour of ['vllm', 'llama.cpp', 'openai'] as const) {
    const model = createModel(t, upstream, { flavour })
    const chunks = await collect(model.generate(ask({ sampling }), SIGNAL))
    const warnings = chunks.flatMap((chunk) => (chunk.type === 'warning' ? [chunk.code] : []))
    assert.deepEqual(warnings, flavour === 'openai' ? Array(2).fill('ignored_sampling') : [])
    bodies.push(upstream.seen.at(-1)!.body!)
  }
  const [vllm, llama, openai] = bodies
  assert.deepEqual({ ...vllm, ...sampling }, vllm)
  assert.deepEqual([llama!['repeat_penalty'], llama!['min_p']], [1.2, 0.1])
  assert.deepEqual([openai!['presence_penalty'], openai!['frequency_penalty']], [0.5, -0.5])
  assert.ok(!('min_p' in openai!) && !('repetition_penalty' in openai!))
})
