import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { EventSource } from 'eventsource'
import { EVENT_SCHEMAS, type RunEvent } from '../../src/core/event.ts'
import { FakeRuns, refinement, scripted } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

const TYPES = EVENT_SCHEMAS.map(
  (schema) =>
    (schema as unknown as { properties: { type: { const: string } } }).properties.type.const,
)

test('an EventSource reads a run to its end, and 204 keeps it from coming back', async (t) => {
  const { url, runs } = await listen(t, new FakeRuns(scripted(refinement)))
  const id = await runs.create({ input: 'What is 6 × 7?' }, '')
  await runs.ended(id, '', new AbortController().signal)
  const statuses: number[] = []
  const source = new EventSource(`${url}/v1/runs/${id}/events`, {
    fetch: async (address, init) => {
      const response = await fetch(address, init)
      statuses.push(response.status)
      return response
    },
  })
  t.after(() => source.close())
  const events: RunEvent[] = []
  for (const type of TYPES) {
    source.addEventListener(type, ({ data }) => events.push(JSON.parse(data) as RunEvent))
  }
  while (source.readyState !== source.CLOSED) await once(source, 'error')
  assert.deepEqual(events, runs.entries.get(id)?.events)
  assert.deepEqual(statuses, [200, 204])
})
