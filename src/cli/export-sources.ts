/** Records from the data folder of this machine, or from a server. */
import { Connection, type ConnectionOptions } from '../client/connection.ts'
import { Backoff } from '../client/retry.ts'
import { connectionFailed, WhetstoneError } from '../client/whetstone-error.ts'
import { linesOf } from '../core/lines.ts'
import type { ExportQuery } from '../exports/export-query.ts'
import type { RunExports } from '../exports/run-exports.ts'
import type { ExportSource } from './export.ts'
import { toServerError } from './server-error.ts'

/** Everybody's runs: whoever may read the folder may read them all. */
export const localExports = (exports: RunExports): ExportSource => ({
  async *lines(query, signal) {
    for await (const record of exports.open(query, undefined)) {
      if (signal.aborted) return
      yield JSON.stringify(record)
    }
  },
})

const pathOf = (query: ExportQuery): string => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) search.append(name, String(each))
  }
  return `/v1/exports?${search.toString()}`
}

/** A connection that breaks is taken up again behind the last record that arrived in whole. */
export const remoteExports = (options: ConnectionOptions): ExportSource => ({
  async *lines(query, signal) {
    const connection = new Connection(options)
    const backoff = new Backoff()
    let after: string | undefined
    for (;;) {
      try {
        const asked = after === undefined ? query : { ...query, after }
        const { body } = await connection.request(pathOf(asked), { signal })
        for await (const line of linesOf(body as unknown as AsyncIterable<Uint8Array>)) {
          after = cursorOf(line)
          backoff.reset()
          yield line
        }
        return
      } catch (thrown) {
        await backoff.wait(lost(thrown), signal).catch((error: unknown) => {
          if (!signal.aborted) throw toServerError(error)
        })
        if (signal.aborted) return
      }
    }
  },
})

/** @throws SyntaxError for the part of a line that a broken connection leaves */
const cursorOf = (line: string): string => (JSON.parse(line) as { cursor: string }).cursor

const lost = (cause: unknown): WhetstoneError =>
  cause instanceof WhetstoneError
    ? cause
    : connectionFailed('The connection to the server broke too often.', cause)
