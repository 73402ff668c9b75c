/** The operations of the OpenAPI document: requests for them, and what an answer has to be. */
import assert from 'node:assert/strict'
import fc, { type Arbitrary } from 'fast-check'
import { schemaErrors } from '../../src/core/json-schema.ts'
import { fittingOrNot, Values, type Components, type Schema } from './openapi-arbitrary.ts'

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

interface Described {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Components }
}

export interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly payload?: string
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Such as there are on the server under test. */
const NAMES = {
  model: ['good', 'good:best-of-n'],
  strategy: ['single', 'best-of-n', 'self-refine', 'self-consistency'],
  role: ['user'],
}

/** Far more than the largest answer takes: running out of steps would look like a fault of the answer. */
const STEPS = 5_000_000

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

/** Half of a pair of surrogates cannot be encoded. */
const wellFormed = (text: string): string => Buffer.from(text).toString()

/** What can stand in a header: anything else, no client can send. */
const headerText = (value: unknown): string =>
  textOf(value)
    .replaceAll(/[^\x20-\x7e]/g, '')
    .trim()

export class Operation {
  readonly id: string
  readonly #method: string
  readonly #path: string
  readonly #described: Described
  readonly #document: Document

  constructor(document: Document, path: string, method: string) {
    this.#document = document
    this.#path = path
    this.#method = method.toUpperCase()
    this.#described = document.paths[path]![method]!
    this.id = this.#described.operationId
  }

  /** `known`: names of things there are below a path, tried beside made-up ones. */
  requests(known: (path: string) => readonly string[]): Arbitrary<Request> {
    const values = new Values(this.#document.components.schemas, NAMES)
    const placed = (place: Parameter['in']): Arbitrary<Record<string, unknown>> => {
      const own = (this.#described.parameters ?? []).filter((each) => each.in === place)
      return fc.record(
        Object.fromEntries(own.map(({ name, schema }) => [name, values.of(schema)])),
        { requiredKeys: place === 'path' ? own.map(({ name }) => name) : [] },
      )
    }
    const body = this.#described.requestBody?.content['application/json']?.schema
    return fc
      .record({
        path: placed('path'),
        pick: fc.option(fc.nat(), { freq: 6 }),
        query: placed('query'),
        header: placed('header'),
        body: body === undefined ? fc.constant(undefined) : fittingOrNot(values.of(body)),
      })
      .map(({ path, pick, query, header, body: given }) => {
        const ids = known(this.#path)
        const named =
          pick === null || ids.length === 0
            ? path
            : Object.fromEntries(Object.keys(path).map((name) => [name, ids[pick % ids.length]!]))
        return this.#request(named, query, header, given)
      })
  }

  #request(
    path: Record<string, unknown>,
    query: Record<string, unknown>,
    header: Record<string, unknown>,
    body: unknown,
  ): Request {
    const place = this.#path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(wellFormed(textOf(path[name]))),
    )
    const pairs = Object.entries(query).map(([name, value]): [string, string] => [
      name,
      textOf(value),
    ])
    const search = new URLSearchParams(pairs).toString()
    const headers = Object.entries(header).map(([name, value]) => [name, headerText(value)])
    return {
      method: this.#method,
      url: search === '' ? place : `${place}?${search}`,
      headers: {
        ...(Object.fromEntries(headers) as Record<string, string>),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    }
  }

  /** @throws AssertionError when the document does not describe the answer. */
  check({ status, type, body }: Answer): void {
    const { responses } = this.#described
    const described = responses[String(status)] ?? responses[`${String(status)[0]}XX`]
    assert.ok(described, `status ${status} is not described`)
    // A server whose models are not loaded yet says so.
    const isTold = this.id === 'getReadiness'
    assert.ok(status < 500 || isTold, `status ${status}: ${body.slice(0, 300)}`)
    if (described.content === undefined) return assert.equal(body, '')
    const media = type.split(';', 1)[0]!
    const content = described.content[media]
    assert.ok(content, `${media} is not described for ${status}`)
    if (media.endsWith('json')) this.#fits(content.schema, JSON.parse(body))
    const each = content.schema['contentSchema'] as Schema | undefined
    if (media !== 'text/event-stream' || each === undefined) return
    for (const [, data] of body.matchAll(/^data: (.*)$/gm)) this.#fits(each, JSON.parse(data!))
  }

  #fits(schema: Schema, value: unknown): void {
    const root = { ...schema, components: this.#document.components }
    assert.deepEqual(schemaErrors(root, value, STEPS), [], JSON.stringify(value).slice(0, 500))
  }
}

export const operationsOf = (document: Document): Operation[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => new Operation(document, path, method)),
  )
