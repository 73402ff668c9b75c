/** Decodes the bytes of a server-sent event stream, however they were cut on their way. */
import { createParser } from 'eventsource-parser'

/** No upstream sends an event of a megabyte; one that does must not fill our memory. */
const MAX_EVENT_CHARACTERS = 1_048_576

/** Thrown when an event grows past a megabyte. */
export class EventTooLarge extends Error {
  override readonly name = 'EventTooLarge'
}

/**
 * The `data` of each event, in batches of what one packet brought. Comments, unknown fields, CR and CRLF, a byte
 * order mark and characters split between packets are all taken; an event without its closing blank line is still
 * given at the end of the stream.
 */
export async function* decodeEventStream(
  packets: AsyncIterable<Uint8Array>,
): AsyncGenerator<string[], void, void> {
  const decoder = new TextDecoder()
  let batch: string[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: ({ data }) => batch.push(data),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw new EventTooLarge(error.message)
    },
  })
  for await (const packet of packets) {
    parser.feed(decoder.decode(packet, { stream: true }))
    if (batch.length === 0) continue
    yield batch
    batch = []
  }
  parser.feed(`${decoder.decode()}\n\n`)
  if (batch.length > 0) yield batch
}
