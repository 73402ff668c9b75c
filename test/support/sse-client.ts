/** Reads server-sent events over a real connection. */
import { createParser, type EventSourceMessage } from 'eventsource-parser'

export interface EventReader {
  readonly response: Response
  /** The next event, undefined at the end. */
  next(): Promise<EventSourceMessage | undefined>
  rest(): Promise<EventSourceMessage[]>
  leave(): void
}

export const readEvents = async (url: string, init: RequestInit = {}): Promise<EventReader> => {
  const leaving = new AbortController()
  const response = await fetch(url, { ...init, signal: leaving.signal })
  const found: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => found.push(event) })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const next = async (): Promise<EventSourceMessage | undefined> => {
    while (found.length === 0) {
      const chunk = await reader?.read()
      if (chunk === undefined || chunk.done) return undefined
      parser.feed(chunk.value)
    }
    return found.shift()
  }
  const rest = async (): Promise<EventSourceMessage[]> => {
    const events: EventSourceMessage[] = []
    for (let event = await next(); event !== undefined; event = await next()) events.push(event)
    return events
  }
  return { response, next, rest, leave: () => leaving.abort() }
}

export const post = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
