/**
 * Server-sent events. The writer pulls: the next is taken from the source only when what came before has left for the
 * network, so a slow reader costs one piece of the log and never slows the run, which does not know its readers. Every
 * wait for the network ends when the connection does.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { typeOfText, type LogPiece } from '../core/log-piece.ts'
import { processingHeader } from './plugins/processing-time.ts'
import type { Limits } from './server-options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts an event stream as open until its reply is closed. */
    countStream(raw: ServerResponse): void
  }
}

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no', // nginx would collect events otherwise
} as const

/** Milliseconds a browser waits before it comes back; the line also makes the headers leave at once. */
const RETRY = 'retry: 2000\n\n'
const HEARTBEAT = ': still here\n\n'

/** JSON holds no line break, and types and sequences are ours, so nothing needs escaping. */
export const pieceFrames = ({ after, texts }: LogPiece): string => {
  let frames = ''
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]!
    frames += `id: ${after + at + 1}\nevent: ${typeOfText(text)}\ndata: ${text}\n\n`
  }
  return frames
}

export const dataFrame = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

type StreamLimits = Pick<Limits, 'heartbeatSeconds' | 'stallSeconds'>

class EventStreamWriter {
  readonly #raw: ServerResponse
  readonly #limits: StreamLimits
  readonly #heartbeat: NodeJS.Timeout
  #waiting = false

  constructor(raw: ServerResponse, limits: StreamLimits) {
    this.#raw = raw
    this.#limits = limits
    // Without a listener, writing to a connection that has just closed would end the process.
    raw.on('error', () => raw.destroy())
    // A little off, differently for each stream: thousands that began together must not all write in one moment.
    const pause = limits.heartbeatSeconds * 1000 * (0.8 + 0.2 * Math.random())
    this.#heartbeat = setInterval(() => {
      if (!this.#waiting && !raw.destroyed) raw.write(HEARTBEAT)
    }, pause)
  }

  /** True when there is room for more, false when the connection has ended; a promise of either where that has to be waited for. */
  write(text: string): boolean | Promise<boolean> {
    if (this.#raw.destroyed) return false
    this.#heartbeat.refresh()
    return this.#raw.write(text) || this.#drained()
  }

  end(): void {
    clearInterval(this.#heartbeat)
    if (!this.#raw.destroyed) this.#raw.end()
  }

  #drained(): Promise<boolean> {
    const raw = this.#raw
    this.#waiting = true
    return new Promise((resolve) => {
      const settle = (isOpen: boolean): void => {
        this.#waiting = false
        clearTimeout(stalled)
        raw.off('drain', onDrain)
        raw.off('close', onClose)
        resolve(isOpen)
      }
      const onDrain = (): void => settle(true)
      const onClose = (): void => settle(false)
      const stalled = setTimeout(() => raw.destroy(), this.#limits.stallSeconds * 1000)
      raw.once('drain', onDrain)
      raw.once('close', onClose)
    })
  }
}

/**
 * Takes the reply over and writes what comes as frames until it ends or the client leaves; then the source is returned.
 * Never rejects: a source that throws is logged and the connection cut, so that the reader knows to come back for the rest.
 * Resolves with whether all was written.
 */
export const sendEventStream = async <Item>(
  reply: FastifyReply,
  items: AsyncIterable<Item>,
  limits: StreamLimits,
  toFrame: (item: Item) => string = String,
): Promise<boolean> => {
  const { raw } = reply
  reply.hijack()
  reply.headers({ ...reply.server.quotaHeaders(reply.request.owner), ...processingHeader(reply) })
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...HEADERS })
  reply.server.countStream(raw)
  const writer = new EventStreamWriter(raw, limits)
  try {
    if (!(await writer.write(RETRY))) return false
    for await (const item of items) {
      const written = writer.write(toFrame(item))
      if (written !== true && !(await written)) return false
    }
    return true
  } catch (error) {
    reply.log.error({ err: error }, 'event stream broke')
    raw.destroy()
    return false
  } finally {
    writer.end()
  }
}
