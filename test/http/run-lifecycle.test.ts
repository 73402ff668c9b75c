import assert from 'node:assert/strict'
import test from 'node:test'
import { endless, FakeRuns, heldAt, refinement, scripted } from '../support/fake-runs.ts'
import { buildServer, listen } from '../support/http-server.ts'
import { post, readEvents } from '../support/sse-client.ts'

const INPUT = { input: 'What is 6 × 7?' }

const keyed = (body: object, key = '"k-1"'): RequestInit => ({
  ...post(body),
  headers: { 'content-type': 'application/json', 'idempotency-key': key },
})

test('the same request under the same key is the same run', async (t) => {
  const { url, runs } = await listen(t)
  const first = await fetch(`${url}/v1/runs`, keyed(INPUT))
  assert.equal(first.headers.get('idempotency-replayed'), null)
  const second = await fetch(`${url}/v1/runs`, keyed(INPUT, 'k-1'))
  assert.equal(second.headers.get('idempotency-replayed'), 'true')
  assert.deepEqual(await second.json(), await first.json())
  assert.equal(runs.entries.size, 1)
  const reordered = { seed: 3, ...INPUT }
  await fetch(`${url}/v1/runs`, keyed(reordered, 'k-2'))
  const same = await fetch(`${url}/v1/runs`, keyed({ ...INPUT, seed: 3 }, 'k-2'))
  assert.equal(same.headers.get('idempotency-replayed'), 'true')
})

test('another request under a used key is refused, and so is a malformed key', async (t) => {
  const { url } = await listen(t)
  await (await fetch(`${url}/v1/runs`, keyed(INPUT))).json()
  const other = await fetch(`${url}/v1/runs`, keyed({ input: 'Other?' }))
  assert.equal(other.status, 422)
  for (const key of ['""', '"a', 'a"b', 'ä', '"a\\b"', 'x'.repeat(256)]) {
    const reply = await fetch(
      `${url}/v1/runs`,
      keyed(INPUT, encodeURI(key).replaceAll('%22', '"').replaceAll('%5C', '\\')),
    )
    assert.equal(reply.status, key === 'ä' ? 200 : 400, key)
  }
})

test('a request that comes again while the run goes on waits for the same run', async (t) => {
  const { script, goOn } = heldAt(6)
  const { url, runs } = await listen(t, new FakeRuns(script))
  const replies = [fetch(`${url}/v1/runs`, keyed(INPUT)), fetch(`${url}/v1/runs`, keyed(INPUT))]
  while (runs.entries.size === 0) await new Promise((resolve) => setImmediate(resolve))
  goOn()
  const [first, second] = await Promise.all(replies.map(async (reply) => (await reply).json()))
  assert.deepEqual(first, second)
  assert.equal(runs.entries.size, 1)
})

test('a streaming retry attaches to the run it began, from the first event, and keeps it alive', async (t) => {
  const { script, goOn } = heldAt(6)
  const { url, runs } = await listen(t, new FakeRuns(script))
  const body = { ...INPUT, stream: true, grace_seconds: 60 }
  const first = await readEvents(`${url}/v1/runs`, keyed(body))
  await first.next()
  first.leave()
  const second = await readEvents(`${url}/v1/runs`, keyed(body))
  assert.equal((await second.next())?.id, '1')
  goOn()
  const events = await second.rest()
  assert.equal(events.at(-1)?.event, 'run.completed')
  assert.equal(events.length, runs.entries.get('run_1')!.events.length - 1)
  assert.deepEqual(runs.cancelled, [])
})

test('a run that is left is cancelled when its grace period is over, and not before', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(endless(refinement.slice(0, 3))))
  const stream = await readEvents(
    `${url}/v1/runs`,
    post({ ...INPUT, stream: true, grace_seconds: 0.05 }),
  )
  await stream.next()
  const start = performance.now()
  const cancelled = new Promise<number>((resolve) => {
    runs.onCancel = () => resolve(performance.now() - start)
  })
  stream.leave()
  const elapsed = await cancelled
  t.diagnostic(`cancelled after ${elapsed.toFixed(1)} ms`)
  assert.ok(elapsed >= 45 && elapsed < 150, `cancelled after ${elapsed} ms`)
})

test('a run whose stream the server had to cut is cancelled, since its caller is gone with it', async (t) => {
  class Failing extends FakeRuns {
    override async *pieces(...which: Parameters<FakeRuns['pieces']>) {
      for await (const piece of super.pieces(...which)) {
        if (piece.after > 1) throw new Error('the store is gone')
        yield piece
      }
    }
  }
  const runs = new Failing(endless(refinement.slice(0, 3)))
  const { url } = await listen(t, runs)
  const cancelled = new Promise<string>((resolve) => (runs.onCancel = resolve))
  const streaming = fetch(`${url}/v1/runs`, post({ ...INPUT, stream: true }))
  await assert.rejects(streaming.then((response) => response.text()))
  assert.equal(await cancelled, 'run_1')
})

test('a reader that takes the events up within the grace period saves the run', async (t) => {
  const { script, goOn } = heldAt(6)
  const { url, runs } = await listen(t, new FakeRuns(script))
  const stream = await readEvents(
    `${url}/v1/runs`,
    post({ ...INPUT, stream: true, grace_seconds: 0.2 }),
  )
  await stream.next()
  const reader = await readEvents(`${url}/v1/runs/run_1/events?after=1`)
  stream.leave()
  await new Promise((resolve) => setTimeout(resolve, 300))
  goOn()
  assert.equal((await reader.rest()).at(-1)?.event, 'run.completed')
  assert.deepEqual(runs.cancelled, [])
})

test('a run whose caller said so goes on when it is left', async (t) => {
  const { script, goOn } = heldAt(6)
  const { url, runs } = await listen(t, new FakeRuns(script))
  const body = { ...INPUT, stream: true, on_disconnect: 'continue' }
  const stream = await readEvents(`${url}/v1/runs`, post(body))
  await stream.next()
  const { wakers } = runs.entries.get('run_1')!
  while (wakers.size === 0) await new Promise((resolve) => setImmediate(resolve))
  stream.leave()
  while (wakers.size > 0) await new Promise((resolve) => setImmediate(resolve))
  goOn()
  const state = (await (
    await fetch(`${url}/v1/runs/run_1?`, { headers: { prefer: 'wait=5' } })
  ).json()) as { status: string }
  assert.equal(state.status, 'completed')
})

test('a run that has not changed is not sent again', async (t) => {
  const app = await buildServer(t)
  const { id } = (await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })).json()
  const first = await app.inject(`/v1/runs/${id}`)
  assert.match(String(first.headers.etag), /^W\/"run_1-19-completed"$/)
  for (const tag of [String(first.headers.etag), '"x", "run_1-19-completed"', '*']) {
    const again = await app.inject({ url: `/v1/runs/${id}`, headers: { 'if-none-match': tag } })
    assert.deepEqual([again.statusCode, again.body], [304, ''])
  }
  const other = await app.inject({ url: `/v1/runs/${id}`, headers: { 'if-none-match': '"x"' } })
  assert.equal(other.statusCode, 200)
})

test('a long poll comes back when the run ends, or with a tag when anything happens', async (t) => {
  const { script, goOn } = heldAt(6)
  const app = await buildServer(t, new FakeRuns(script))
  const payload = { ...INPUT, background: true }
  const { id } = (await app.inject({ method: 'POST', url: '/v1/runs', payload })).json()
  const prefer = { prefer: 'wait=20' }
  let now = await app.inject(`/v1/runs/${id}`)
  while (now.json().revisions.length === 0) now = await app.inject(`/v1/runs/${id}`)
  const tagged = { ...prefer, 'if-none-match': String(now.headers.etag) }
  const news = app.inject({ url: `/v1/runs/${id}`, headers: tagged })
  const end = app.inject({ url: `/v1/runs/${id}`, headers: prefer })
  const short = await app.inject({ url: `/v1/runs/${id}`, headers: { prefer: 'wait=0' } })
  assert.equal(short.json().status, 'running')
  goOn()
  assert.equal((await news).statusCode, 200)
  assert.equal((await end).json().status, 'completed')
  assert.equal((await end).headers['preference-applied'], 'wait=20')
})

test('a caller may ask for the answer later, and wait a little first', async (t) => {
  const app = await buildServer(t)
  const create = (prefer: string) =>
    app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT, headers: { prefer } })
  const later = await create('respond-async')
  assert.equal(later.statusCode, 202)
  assert.equal(later.headers['preference-applied'], 'respond-async')
  assert.equal((await create('respond-async, wait=10')).statusCode, 200)
})

test('revisions can be read alone', async (t) => {
  const app = await buildServer(t)
  await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  const list = (await app.inject('/v1/runs/run_1/revisions')).json()
  assert.deepEqual([list.object, list.first_id, list.last_id], ['list', '1', '2'])
  assert.equal(list.data[1].text, 'It is 42.')
})

test('a run that has ended can be removed, one that goes on cannot', async (t) => {
  const runs = new FakeRuns(endless())
  const app = await buildServer(t, runs)
  const payload = { ...INPUT, background: true }
  await app.inject({ method: 'POST', url: '/v1/runs', payload })
  const remove = { method: 'DELETE', url: '/v1/runs/run_1' } as const
  assert.equal((await app.inject(remove)).statusCode, 409)
  await app.inject({ method: 'POST', url: '/v1/runs/run_1/cancel' })
  assert.equal((await app.inject(remove)).statusCode, 204)
  assert.equal((await app.inject('/v1/runs/run_1')).statusCode, 404)
  assert.equal((await app.inject(remove)).statusCode, 404)
})

test('a list links to its next page', async (t) => {
  const app = await buildServer(t)
  for (let at = 0; at < 3; at++) {
    await app.inject({ method: 'POST', url: '/v1/runs', payload: INPUT })
  }
  const { headers } = await app.inject('/v1/runs?limit=2&status=completed')
  assert.equal(
    headers.link,
    '</v1/runs?limit=2&status=completed>; rel="first", </v1/runs?limit=2&status=completed&after=run_2>; rel="next"',
  )
  const last = await app.inject('/v1/runs?limit=2&after=run_2')
  assert.equal(last.headers.link, '</v1/runs?limit=2>; rel="first"')
})

test('a deadline in a header is kept apart from the budget, which an arm may decide', async (t) => {
  const runs = new FakeRuns(scripted(refinement))
  const app = await buildServer(t, runs)
  const create = (deadline: string, budget = {}) =>
    app.inject({
      method: 'POST',
      url: '/v1/runs',
      payload: { ...INPUT, budget },
      headers: { 'x-deadline-seconds': deadline },
    })
  await create('2.5')
  await create('10', { seconds: 4, calls: 3 })
  assert.deepEqual(
    runs.requests.map(({ deadline_seconds: deadline, budget }) => [deadline, budget]),
    [
      [2.5, {}],
      [10, { seconds: 4, calls: 3 }],
    ],
  )
  assert.equal((await create('soon')).statusCode, 400)
})

test('a run is steered over REST, and what is wrong is told by field', async (t) => {
  const app = await buildServer(t, new FakeRuns(endless(refinement.slice(0, 6))))
  await app.inject({ method: 'POST', url: '/v1/runs', payload: { ...INPUT, background: true } })
  const steer = (payload: object) =>
    app.inject({ method: 'POST', url: '/v1/runs/run_1/steer', payload })
  const reply = await steer({ action: 'hint', text: 'Mind the units.' })
  assert.deepEqual(reply.json().steering, [{ action: 'hint', text: 'Mind the units.' }])
  const wrong = await steer({ action: 'mark', candidate: 0 })
  assert.deepEqual([wrong.statusCode, wrong.json().errors[0].pointer], [400, '/step'])
  assert.equal((await steer({ action: 'drop', candidate: 0 })).statusCode, 409)
  assert.equal((await steer({ action: 'drop', candidate: 5 })).statusCode, 400)
})

test('a stream may be left at any event and resumed: the whole equals the log', async (t) => {
  const { url, runs } = await listen(t)
  const length = refinement.length + 1
  for (let cut = 1; cut <= length; cut++) {
    const body = { ...INPUT, stream: true, on_disconnect: 'continue' }
    const stream = await readEvents(`${url}/v1/runs`, post(body))
    const seen = []
    for (let at = 0; at < cut; at++) seen.push((await stream.next())!)
    stream.leave()
    const id = `run_${cut}`
    const headers = { 'last-event-id': seen.at(-1)!.id! }
    const rest = await readEvents(`${url}/v1/runs/${id}/events`, { headers })
    const whole = [...seen, ...(await rest.rest())].map(({ data }) => JSON.parse(data) as unknown)
    assert.deepEqual(whole, runs.entries.get(id)!.events)
  }
})
