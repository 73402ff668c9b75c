import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { emptyUsage, RunState } from '../../src/core/run-state.ts'
import { findErrors } from '../../src/core/validation.ts'
import { passing } from '../runs/support.ts'
import { endless, FakeRuns, refinement, scripted, usage } from '../support/fake-runs.ts'
import { buildServer } from '../support/http-server.ts'

const INPUT = { input: 'What is 6 × 7?' }

test('a run that is waited for comes back as it ended', async (t) => {
  const app = await buildServer(t)
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  assert.equal(reply.statusCode, 200)
  assert.deepEqual(findErrors(RunState, reply.json()), [])
  assert.equal(reply.json().answer.text, 'It is 42.')
  assert.equal(reply.json().revisions.length, 2)
  const again = await app.inject(`/v1/runs/${reply.json().id}`)
  assert.deepEqual(again.json(), reply.json())
})

test('a run in the background answers 202 with the place to look', async (t) => {
  const runs = new FakeRuns(endless())
  const app = await buildServer(t, runs)
  const reply = await app.inject({
    method: 'POST',
    url: '/v1/runs',
    payload: { ...INPUT, background: true },
  })
  assert.equal(reply.statusCode, 202)
  assert.equal(reply.headers.location, `/v1/runs/${reply.json().id}`)
  assert.equal(reply.headers['retry-after'], '1')
  const cancelled = await app.inject({
    method: 'POST',
    url: `${reply.headers.location}/cancel`,
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(cancelled.json().status, 'cancelled')
})

test('runs are listed page by page', async (t) => {
  const app = await buildServer(t)
  for (let at = 0; at < 3; at++) {
    await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  }
  const first = (await app.inject('/v1/runs?limit=2')).json()
  assert.deepEqual(
    [first.object, first.first_id, first.last_id, first.has_more],
    ['list', 'run_3', 'run_2', true],
  )
  const second = (await app.inject('/v1/runs?limit=2&after=run_2&status=completed')).json()
  assert.deepEqual([second.first_id, second.has_more], ['run_1', false])
  const bad = await app.inject('/v1/runs?limit=many&colour=red')
  assert.equal(bad.statusCode, 400)
  assert.deepEqual(
    bad
      .json()
      .errors.map(({ pointer }: { pointer: string }) => pointer)
      .toSorted(),
    ['/colour', '/limit'],
  )
})

test('a run that failed without an answer is a failed request with the run’s id', async (t) => {
  const error = { code: 'upstream_unavailable', message: 'The upstream is away.' }
  const runs = new FakeRuns(scripted([{ type: 'run.failed', answer: null, usage, error }]))
  const app = await buildServer(t, runs)
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  assert.equal(reply.statusCode, 502)
  assert.match(String(reply.headers['content-type']), /^application\/problem\+json/)
  assert.equal(reply.headers['x-should-retry'], 'false')
  const problem = reply.json()
  assert.equal(problem.run_id, 'run_1')
  assert.equal(problem.error.code, 'upstream_unavailable')
  assert.equal(problem.request_id, reply.headers['x-request-id'])
})

test('a failure that cost nothing may be repeated', async (t) => {
  const error = { code: 'upstream_unavailable', message: 'The upstream is away.' }
  const runs = new FakeRuns(
    scripted([{ type: 'run.failed', answer: null, usage: emptyUsage(), error }]),
  )
  const app = await buildServer(t, runs)
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  assert.equal(reply.headers['x-should-retry'], undefined)
})

test('a run that failed after an answer is a result', async (t) => {
  const error = { code: 'internal', message: 'Oh.' }
  const answer = { text: 'It is 41.', candidate: 0, revision: 1, score: null }
  const runs = new FakeRuns(
    scripted([...refinement.slice(0, 6), { type: 'run.failed', answer, usage, error }]),
  )
  const app = await buildServer(t, runs)
  const reply = await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  assert.equal(reply.statusCode, 200)
  assert.deepEqual([reply.json().status, reply.json().answer.text], ['failed', 'It is 41.'])
})

test('feedback is kept with the run and given back', async (t) => {
  const app = await buildServer(t)
  await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  const url = '/v1/runs/run_1/feedback'
  const payload = { metric: 'correct', value: true, source: 'user' }
  const added = await app.inject({ method: 'POST', url, payload })
  assert.equal(added.statusCode, 201)
  assert.equal(added.json().metric, 'correct')
  assert.deepEqual((await app.inject(url)).json().data, [added.json()])
  const unknown = await app.inject({ method: 'POST', url: '/v1/runs/run_9/feedback', payload })
  assert.deepEqual([unknown.statusCode, unknown.json().error.code], [404, 'run_not_found'])
})

test('an estimate speaks the names of the wire', async (t) => {
  const app = await buildServer(t)
  const reply = await app.inject({ method: 'POST', url: '/v1/estimates', payload: INPUT })
  assert.deepEqual(reply.json(), {
    worst_case: { calls: 2, input_tokens: 10, output_tokens: 20, cost: 0 },
    expected: null,
    by_role: [{ role: 'generator', calls: 2, input_tokens: 10, output_tokens: 20 }],
  })
})

test('models are listed alone and with each strategy', async (t) => {
  const app = await buildServer(t)
  const list = (await app.inject('/v1/models')).json()
  assert.deepEqual(
    list.data.map(({ id }: { id: string }) => id),
    ['pebble', 'pebble:single', 'pebble:best-of-n'],
  )
  assert.equal((await app.inject('/v1/models/pebble%3Asingle')).json().strategy, 'single')
  assert.equal((await app.inject('/v1/models/granite')).statusCode, 404)
  const strategies = (await app.inject('/v1/strategies')).json()
  assert.deepEqual([strategies.object, strategies.data.length], ['list', 2])
})

test('a server is alive before it is ready, and says what is missing', async (t) => {
  const runs = new FakeRuns()
  const app = await buildServer(t, runs)
  assert.equal((await app.inject('/readyz')).statusCode, 200)
  runs.readyError = new RefineError('model_failed', 'Model "pebble" has no weights.')
  const reply = await app.inject('/readyz')
  assert.equal(reply.statusCode, 503)
  assert.match(reply.json().detail, /pebble/)
  assert.equal((await app.inject('/healthz')).statusCode, 200)
})

for (const [part, detail] of [
  ['database', 'Not ready: The database does not answer.'],
  ['models', 'Not ready: The models are still loading.'],
  [undefined, 'Not ready: The database does not answer. The models are still loading.'],
] as const) {
  test(`a probe does not wait for long, and is told what is late: ${part ?? 'all'}`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const runs = new FakeRuns()
    const never = new Promise<void>(() => undefined)
    runs.ready = (asked?: string) => ([asked, undefined].includes(part) ? never : Promise.resolve())
    const app = await buildServer(t, runs)
    const reply = await passing(t, app.inject('/readyz'))
    assert.deepEqual([reply.statusCode, reply.json().detail], [503, detail])
  })
}

test('with keys configured only their holders get in, each to the own runs', async (t) => {
  const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
  const keys = [
    { name: 'ann', sha256: sha256('secret-a') },
    { name: 'bob', sha256: sha256('secret-b') },
  ]
  const app = await buildServer(t, new FakeRuns(), { keys })
  const bare = await app.inject('/v1/runs')
  assert.deepEqual([bare.statusCode, bare.json().error.code], [401, 'unauthenticated'])
  assert.equal(bare.headers['www-authenticate'], 'Bearer')
  const wrong = await app.inject({ url: '/v1/runs', headers: { authorization: 'Bearer secret-c' } })
  assert.equal(wrong.statusCode, 401)
  assert.equal((await app.inject('/v1/nowhere')).statusCode, 401)
  const ann = { authorization: 'Bearer secret-a' }
  const made = await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT, headers: ann })
  assert.equal(made.statusCode, 200)
  const url = `/v1/runs/${made.json().id}`
  assert.equal((await app.inject({ url, headers: ann })).statusCode, 200)
  assert.equal((await app.inject({ url, headers: { 'x-api-key': 'secret-b' } })).statusCode, 404)
  for (const open of ['/healthz', '/readyz', '/docs', '/openapi.json']) {
    assert.equal((await app.inject(open)).statusCode, 200, open)
  }
})

test('a harmless request id is kept, any other replaced', async (t) => {
  const app = await buildServer(t)
  const kept = await app.inject({ url: '/healthz', headers: { 'x-request-id': 'abc.1' } })
  assert.equal(kept.headers['x-request-id'], 'abc.1')
  assert.equal(kept.headers['request-id'], 'abc.1')
  const made = await app.inject({ url: '/healthz', headers: { 'x-request-id': 'a b' } })
  assert.match(String(made.headers['x-request-id']), /^req_/)
})
