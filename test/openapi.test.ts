import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { EVENT_SCHEMAS } from '../src/core/event.ts'
import { openapiDocument } from '../src/http/server.ts'
import { buildServer } from './support/http-server.ts'

const root = path.resolve(import.meta.dirname, '../..')
const read = (name: string): unknown => JSON.parse(readFileSync(path.join(root, name), 'utf8'))

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, { operationId?: string; responses: object }>>
  readonly components: { readonly schemas: Record<string, { oneOf?: { $ref: string }[] }> }
}

const build = async (t: Parameters<typeof buildServer>[0]): Promise<Document> => {
  const { version } = read('package.json') as { version: string }
  const app = await buildServer(t, undefined, { version })
  return (await openapiDocument(app)) as Document
}

test('the contract in the repository is that of the running server (npm run openapi)', async (t) => {
  const document = JSON.parse(JSON.stringify(await build(t)))
  assert.deepEqual(document, read('openapi/openapi.json'))
})

test('every event is a component and part of RunEvent', async (t) => {
  const { components } = await build(t)
  const names = components.schemas['RunEvent']!.oneOf!.map(({ $ref }) => $ref.split('/').at(-1)!)
  assert.equal(names.length, EVENT_SCHEMAS.length)
  for (const name of names) assert.ok(components.schemas[name] !== undefined, name)
  assert.ok(names.includes('AnswerRevisedEvent') && names.includes('RunCompletedEvent'))
})

test('every operation has a name of its own, and problems for errors', async (t) => {
  const { paths } = await build(t)
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods))
  const names = operations.map(({ operationId }) => operationId)
  assert.ok(names.every((name) => name !== undefined && /^[a-z][A-Za-z]+$/.test(name)))
  assert.equal(new Set(names).size, names.length)
  for (const { responses } of operations) {
    assert.match(JSON.stringify(responses), /application\/problem\+json/)
  }
})

test('every reference leads somewhere', async (t) => {
  const document = await build(t)
  const text = JSON.stringify(document)
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(document.components.schemas[name!] !== undefined, name)
  }
  assert.doesNotMatch(text, /"\$id"/)
})

test('the contract can be read as a page that loads nothing from anywhere', async (t) => {
  const app = await buildServer(t)
  const { body, headers } = await app.inject('/docs')
  assert.match(String(headers['content-type']), /^text\/html/)
  for (const name of ['/v1/runs/{id}/events', 'AnswerRevisedEvent', 'curl -N']) {
    assert.ok(body.includes(name), name)
  }
  assert.doesNotMatch(body, /<script|<link|src=|@import|url\(/)
})

test('a body that may be left out is not required', async (t) => {
  const { paths } = (await openapiDocument(await buildServer(t))) as {
    paths: Record<string, { post?: { requestBody?: { required?: boolean } } }>
  }
  assert.equal(paths['/v1/ws-tickets']?.post?.requestBody?.required, false)
  assert.equal(paths['/v1/runs']?.post?.requestBody?.required, true)
})
