/** A hub as the pull meets it: the listing, small files of its own, large ones on a second host it redirects to. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export const COMMIT = 'c0ffee'.padEnd(40, '0')
export const REPOSITORY = 'owner/small'
/** Files from this size on lie in large-file storage. */
const LARGE = 256

export interface Request {
  readonly host: 'hub' | 'storage'
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

export interface Hub {
  readonly url: string
  readonly requests: Request[]
  readonly files: Map<string, Buffer>
  /** Bytes after which the next answers of the second host stop, one entry each; `breakOff` then ends them. */
  readonly cuts: number[]
  /** Cuts the connection that has stopped. To be called when its bytes have arrived, which no server can know. */
  breakOff(): void
  stopped: ServerResponse | undefined
  /** Answers in place of the hub where it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse, host: string) => boolean
  /** Of the files of the second host, where it is not their sum. */
  etag: string | undefined
  /** The commit that the listing names. */
  commit: string
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const gitSha1 = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

const listen = async (t: TestContext, server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const isLarge = (bytes: Buffer): boolean => bytes.length >= LARGE

const listing = (hub: Hub): string =>
  JSON.stringify({
    id: REPOSITORY,
    sha: hub.commit,
    siblings: [...hub.files].map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitSha1(bytes),
      ...(isLarge(bytes) && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 9 } }),
    })),
  })

/** Sends the file, or the rest of it that is asked for; breaks off where that is planned. */
const send = (
  hub: Hub,
  bytes: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  const etag = hub.etag ?? `"${sha256(bytes)}"`
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
  const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
  const start = asked !== null && isSame ? Number(asked[1]) : 0
  const body = bytes.subarray(start)
  const range = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
  response.writeHead(start > 0 ? 206 : 200, {
    etag,
    'content-length': body.length,
    ...(start > 0 && range),
  })
  const cut = isLarge(bytes) ? hub.cuts.shift() : undefined
  if (cut === undefined) response.end(body)
  else {
    response.flushHeaders()
    hub.stopped = response
    if (cut === 0) hub.breakOff()
    else response.write(body.subarray(0, cut))
  }
}

export const startHub = async (t: TestContext, files: Record<string, Buffer>): Promise<Hub> => {
  const note = (host: Request['host'], request: IncomingMessage): void => {
    const { range, authorization } = request.headers
    hub.requests.push({ host, path: request.url!, range, authorization })
  }
  const storage = createServer((request, response) => {
    note('storage', request)
    if (hub.intercept(request, response, 'storage')) return
    send(hub, hub.files.get(decodeURIComponent(request.url!.slice(1)))!, request, response)
  })
  const storageUrl = await listen(t, storage)
  const server = createServer((request, response) => {
    note('hub', request)
    if (hub.intercept(request, response, 'hub')) return
    const { pathname } = new URL(request.url!, 'http://hub')
    if (pathname.startsWith(`/api/models/${REPOSITORY}/revision/`)) {
      response.end(listing(hub))
      return
    }
    const prefix = `/${REPOSITORY}/resolve/${hub.commit}/`
    const name = decodeURIComponent(pathname.slice(prefix.length))
    const bytes = pathname.startsWith(prefix) ? hub.files.get(name) : undefined
    if (bytes === undefined) response.writeHead(404).end()
    else if (isLarge(bytes))
      response.writeHead(302, { location: `${storageUrl}/${encodeURIComponent(name)}` }).end()
    else send(hub, bytes, request, response)
  })
  const hub: Hub = {
    url: await listen(t, server),
    requests: [],
    files: new Map(Object.entries(files)),
    cuts: [],
    stopped: undefined,
    breakOff: () => {
      hub.stopped?.socket?.destroy()
      hub.stopped = undefined
    },
    intercept: () => false,
    etag: undefined,
    commit: COMMIT,
  }
  return hub
}
