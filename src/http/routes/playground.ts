/**
 * `/`: the playground. Its script is compiled by the same build as the server and served as modules, file by file; page and
 * style are read as they stand in `src/playground`. It holds no data, so it needs no key: it asks for one when the server
 * does.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RefineError } from '../../core/errors.ts'

const COMPILED = path.resolve(import.meta.dirname, '../..')
const SOURCE = path.resolve(import.meta.dirname, '../../../../src/playground')
const SCRIPT = 'text/javascript; charset=utf-8'

interface Asset {
  readonly type: string
  readonly content: string
  readonly etag: string
}

const assetOf = (type: string, content: string): Asset => {
  const digest = createHash('sha256').update(content).digest('base64url').slice(0, 22)
  return { type, content, etag: `"${digest}"` }
}

const readModules = (folder: string): [string, Asset][] =>
  readdirSync(path.join(COMPILED, folder))
    .filter((name) => name.endsWith('.js'))
    .map((name) => {
      const code = readFileSync(path.join(COMPILED, folder, name), 'utf8')
      return [
        `${folder}/${name}`,
        assetOf(SCRIPT, code.replace(/\n\/\/# sourceMapping.*\s*$/, '\n')),
      ]
    })

/** A single module without imports of its own. */
const readParser = (): string =>
  readFileSync(new URL(import.meta.resolve('eventsource-parser')), 'utf8')

/** Everything the page loads, by its path below `/assets/`; a fixed list, so no request reaches the disk. */
const readAssets = (): Map<string, Asset> =>
  new Map([
    ...readModules('playground'),
    ...readModules('client'),
    [
      'style.css',
      assetOf('text/css; charset=utf-8', readFileSync(path.join(SOURCE, 'style.css'), 'utf8')),
    ],
    ['eventsource-parser.js', assetOf(SCRIPT, readParser())],
  ])

/** Own scripts only, and the one inline import map, by its hash. */
const policyFor = (page: string): string => {
  const map = /<script type="importmap">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? ''
  const hash = createHash('sha256').update(map).digest('base64')
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self' 'unsafe-inline'", // widths of bars
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

const send = (request: FastifyRequest, reply: FastifyReply, asset: Asset): FastifyReply => {
  reply.headers({
    etag: asset.etag,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  })
  if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send()
  return reply.type(asset.type).send(asset.content)
}

export const registerPlayground = (app: FastifyInstance): void => {
  const html = readFileSync(path.join(SOURCE, 'index.html'), 'utf8')
  const page = assetOf('text/html; charset=utf-8', html)
  const assets = readAssets()
  const policy = policyFor(html)
  const options = { schema: { hide: true }, config: { public: true } }

  app.get('/', options, async (request, reply) =>
    send(request, reply.header('content-security-policy', policy), page),
  )
  app.get<{ Params: { '*': string } }>('/assets/*', options, async (request, reply) => {
    const asset = assets.get(request.params['*'])
    if (asset === undefined) throw new RefineError('not_found', 'There is no such file.')
    return send(request, reply, asset)
  })
}
