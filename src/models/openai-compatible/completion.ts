/** One chat completion at an upstream, repeated while nothing was delivered and it may still succeed. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { RefineError } from '../../core/errors.ts'
import type { CallOptions, GenerationChunk } from '../../core/language-model.ts'
import { traceHeaders, type TraceContext } from '../../core/trace.ts'
import { ChunkMapping, type Reading } from './chunk-mapping.ts'
import type { Reply, Timeouts, UpstreamConnections } from './connection.ts'
import { decodeEventStream } from './event-stream.ts'
import { pauseBefore, retryHints, type RetryPolicy } from './retries.ts'
import { failureOfForm, failureOfStatus, UpstreamFailure, type Origin } from './upstream-error.ts'

export interface Endpoint {
  readonly connections: UpstreamConnections
  readonly origin: Origin
  readonly completions: URL
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Timeouts
  readonly retries: RetryPolicy
  /** Uniform in [0, 1): the jitter of pauses. */
  readonly random: () => number
}

export interface Completion {
  readonly inputTokens: number
  readonly cachedTokens: number
  /** Samples the upstream did not give, as one that knows no `n` does. */
  readonly missing: readonly number[]
}

/** Once every sample has ended, only the usage is waited for, and not for long. */
const USAGE_WAIT_MS = 1000
const MAX_BODY_BYTES = 16 * 1024 * 1024
const MAX_ERROR_BYTES = 64 * 1024

const readBody = async (
  reply: Reply,
  silenceMs: () => number,
  limit: number,
): Promise<string | undefined> => {
  const decoder = new TextDecoder()
  let text = ''
  for await (const packet of reply.packets(silenceMs)) {
    text += decoder.decode(packet, { stream: true })
    if (text.length > limit) return undefined
  }
  return text + decoder.decode()
}

/** The events of the answer; an upstream that does not stream gives one, its whole body. */
async function* events(
  reply: Reply,
  silenceMs: () => number,
  origin: Origin,
): AsyncGenerator<readonly string[], void, void> {
  if (!/\bjson\b/i.test(reply.headers['content-type'] ?? '')) {
    yield* decodeEventStream(reply.packets(silenceMs))
    return
  }
  const body = await readBody(reply, silenceMs, MAX_BODY_BYTES)
  if (body === undefined) throw failureOfForm('sent an answer of more than 16 MiB', origin)
  yield [body, '[DONE]']
}

const refusal = async (reply: Reply, endpoint: Endpoint): Promise<UpstreamFailure> => {
  const { origin, timeouts } = endpoint
  const body = await readBody(reply, () => timeouts.betweenBytesMs, MAX_ERROR_BYTES)
  return failureOfStatus(reply.status, body ?? '', origin, retryHints(reply.headers))
}

/** Each try is a span of its own to the upstream. */
const traced = (trace: TraceContext | undefined): Record<string, string> =>
  trace === undefined ? {} : traceHeaders(trace, randomBytes(8).toString('hex'))

async function* attempt(
  endpoint: Endpoint,
  body: string,
  mapping: ChunkMapping,
  { signal, trace }: CallOptions,
): AsyncGenerator<GenerationChunk, void, void> {
  const { connections, completions: url, timeouts, origin } = endpoint
  const headers = { ...endpoint.headers, ...traced(trace) }
  const reply = await connections.send({ url, headers, body, timeouts, signal })
  if (reply.status !== 200) throw await refusal(reply, endpoint)
  const silenceMs = (): number =>
    mapping.complete ? Math.min(USAGE_WAIT_MS, timeouts.betweenBytesMs) : timeouts.betweenBytesMs
  for await (const batch of events(reply, silenceMs, origin)) {
    for (const data of batch) {
      if (data.trim() === '[DONE]') {
        reply.release()
        yield* mapping.end(true)
        return
      }
      yield* mapping.read(data)
    }
  }
  yield* mapping.end(false)
}

const asFailure = (thrown: unknown, origin: Origin): UpstreamFailure =>
  thrown instanceof UpstreamFailure
    ? thrown
    : failureOfForm(`sent a stream that cannot be read (${(thrown as Error).message})`, origin)

/** What the last of several tries failed with, as the end of them all. */
const finalFailure = (
  { error, retryable, retryAfterMs }: UpstreamFailure,
  unread: boolean,
): UpstreamFailure => {
  const told =
    retryAfterMs === undefined
      ? error
      : new RefineError(error.code, error.message, {
          retryAfter: Math.ceil(retryAfterMs / 1000),
          cause: error,
        })
  return new UpstreamFailure(told, retryable, { retryAfterMs, unread })
}

/** What can still be told after a failure: the ends of the samples, or nothing, and then it may be tried again. */
function* salvage(
  mapping: ChunkMapping,
  error: RefineError,
): Generator<GenerationChunk, boolean, void> {
  if (mapping.complete) yield* mapping.end(true)
  else if (mapping.delivered) yield* mapping.fail(error)
  else return false
  return true
}

/**
 * Streams the samples of one call. Failures before anything was delivered are tried again as `retries` says; later
 * ones close the open samples with `failure` chunks.
 * @throws UpstreamFailure when the call failed before anything was delivered; the signal's reason after an abort, with the
 * connection closed.
 */
export async function* complete(
  endpoint: Endpoint,
  body: string,
  reading: Reading,
  options: CallOptions,
): AsyncGenerator<GenerationChunk, Completion, void> {
  const { signal } = options
  let unread = true
  for (let tries = 1; ; tries++) {
    const mapping = new ChunkMapping(reading)
    let failure: UpstreamFailure | undefined
    try {
      yield* attempt(endpoint, body, mapping, options)
    } catch (thrown) {
      signal.throwIfAborted()
      failure = asFailure(thrown, endpoint.origin)
    }
    if (failure === undefined || (yield* salvage(mapping, failure.error))) {
      return { ...mapping.usage, missing: mapping.missing }
    }
    unread &&= failure.unread
    const pause = failure.retryable
      ? pauseBefore(tries, endpoint.retries, failure.retryAfterMs, endpoint.random)
      : undefined
    if (pause === undefined) throw finalFailure(failure, unread)
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
