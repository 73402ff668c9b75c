/**
 * Requests made from the OpenAPI document, most of them right and some not quite, against the whole server: no answer is
 * a 5xx, and each is one that the document describes. `npm run fuzz` makes more of them.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { openapiDocument } from '../src/http/server.ts'
import { serveScripted } from './contract/real-server.ts'
import { operationsOf, type Document, type Request } from './support/openapi-operations.ts'

const cases = Number(process.env['FUZZ_CASES'] ?? 400)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_126)

test(`${cases} requests from the OpenAPI document (seed ${seed}) get answers that it describes`, async (t) => {
  const { app } = await serveScripted(t, '', 'budget: { seconds: 2, calls: 40 }, ')
  const document = (await openapiDocument(app)) as Document
  const operations = operationsOf(document)
  const named: Record<string, string[]> = {
    models: ['good'],
    runs: [],
    responses: [],
    experiments: [],
  }
  const known = (path: string): string[] => named[path.split('/')[2]!] ?? []
  const counts = new Map<number, number>()
  const send = async ({ method, url, headers, payload }: Request) => {
    const reply = await app.inject({
      method: method as 'GET',
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    })
    const { statusCode: status, body } = reply
    counts.set(status, (counts.get(status) ?? 0) + 1)
    for (const [, run] of body.slice(0, 1000).matchAll(/\b(?:run|resp)_(\w+)/g)) {
      named['runs']!.push(`run_${run}`)
      named['responses']!.push(`resp_${run}`)
    }
    const key = /^\{"key":"([^"\\]+)"/.exec(body)?.[1]
    if (key !== undefined) named['experiments']!.push(key)
    return { status, type: String(reply.headers['content-type'] ?? ''), body }
  }
  const runs = Math.ceil(cases / operations.length)
  for (const operation of operations) {
    const property = fc.asyncProperty(operation.requests(known), async (request) => {
      operation.check(await send(request))
    })
    await t.test(operation.id, () =>
      fc.assert(property, { numRuns: runs, seed, endOnFailure: true }),
    )
  }
  const told = [...counts].toSorted(([left], [right]) => left - right)
  t.diagnostic(told.map(([status, count]) => `${status}: ${count}`).join(', '))
  const good = told.filter(([status]) => status < 300).reduce((sum, [, count]) => sum + count, 0)
  assert.ok(good > cases / 5, 'enough of them were right to be more than a test of refusals')
})
