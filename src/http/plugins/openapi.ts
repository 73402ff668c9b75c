/** The contract, made from the schemas the routes are checked by: every schema with an `$id` becomes a component. */
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import { EVENT_SCHEMAS } from '../../core/event.ts'
import { plain, sortedComponents, withReferences, type Components } from '../schema-components.ts'

const typeOf = (schema: TSchema): string =>
  (schema as TSchema & { properties: { type: { const: string } } }).properties.type.const

/** The events as components, and `RunEvent` as the choice between them by `type`. */
const addEvents = (components: Components): void => {
  const mapping: Record<string, string> = {}
  const oneOf = EVENT_SCHEMAS.map((schema) => {
    const reference = withReferences(plain(schema), components) as { $ref: string }
    mapping[typeOf(schema)] = reference.$ref
    return reference
  })
  components.set('RunEvent', {
    description:
      'What `data` holds in an event stream, and a message on a socket, there with `stream_id`.',
    oneOf,
    discriminator: { propertyName: 'type', mapping },
  })
}

const EXCLUDED = ['securitySchemes', 'security'] as const

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer' },
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
} as const

const INFO_DESCRIPTION =
  'Answers a prompt by drafting, judging and revising with a strategy, and streams every revision. Keys are needed only ' +
  'on a server that was given any.'

const infoOf = (version: string) => ({
  title: 'Whetstone',
  version,
  description: INFO_DESCRIPTION,
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
})

interface Operation {
  readonly requestBody?: {
    required?: boolean
    readonly content: Readonly<Record<string, { readonly schema: { anyOf?: { type?: string }[] } }>>
  }
}

/** A body that may be null may be left out as well. */
const allowNoBody = (
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>,
): void => {
  for (const { requestBody } of Object.values(paths).flatMap((path) => Object.values(path))) {
    const schema = requestBody?.content['application/json']?.schema
    if (schema?.anyOf?.some(({ type }) => type === 'null')) requestBody!.required = false
  }
}

/** Must come before the routes, which it watches. */
export const registerOpenApi = async (app: FastifyInstance, version: string): Promise<void> => {
  const components: Components = new Map()
  addEvents(components)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: infoOf(version),
      servers: [{ url: '/', description: 'The server that serves this document.' }],
      components: { securitySchemes: SECURITY_SCHEMES },
      security: [{ bearer: [] }, { apiKey: [] }, {}],
    },
    exposeHeadRoutes: false,
    transform: ({ schema, url }) => ({
      schema: Object.fromEntries(
        Object.entries((schema ?? {}) as Record<string, unknown>).map(([key, value]) => [
          key,
          (EXCLUDED as readonly string[]).includes(key)
            ? value
            : withReferences(plain(value), components),
        ]),
      ) as FastifySchema,
      url,
    }),
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject
      const { openapiObject } = document
      allowNoBody(openapiObject.paths as Parameters<typeof allowNoBody>[0])
      return {
        ...openapiObject,
        components: {
          ...openapiObject.components,
          schemas: sortedComponents(components),
        },
      } as typeof openapiObject
    },
  })
}

/** The OpenAPI 3.1 document of a server, as `/openapi.json` serves it. No route may be added afterwards. */
export const openapiDocument = async (app: FastifyInstance): Promise<object> => {
  await app.ready()
  return app.swagger()
}
