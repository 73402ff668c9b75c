/** The thread in which SQLite works. It is started by `sqlite-thread.ts` and talks to it in the messages defined there. */
import { parentPort, workerData } from 'node:worker_threads'
import { openSqlite, type SqliteDatabase } from './sqlite.ts'
import type { SqliteNotice, SqliteRequest } from './sqlite-thread.ts'

const post = (...notices: readonly SqliteNotice[]): void => parentPort!.postMessage(notices)

const textOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

const failed = (id: number, thrown: unknown): SqliteNotice => {
  const { code } = thrown as { readonly code?: string }
  return { type: 'failed', id, message: textOf(thrown), code }
}

type Reading = Exclude<SqliteRequest, { readonly type: 'write' }>
type Writing = Extract<SqliteRequest, { readonly type: 'write' }>

const read = async (database: SqliteDatabase, request: Reading): Promise<SqliteNotice> => {
  const { id } = request
  try {
    const value =
      request.type === 'close'
        ? await database.close()
        : await database.all(request.sql, ...request.values)
    return { type: 'done', id, value }
  } catch (thrown) {
    return failed(id, thrown)
  }
}

const write = (database: SqliteDatabase, requests: readonly Writing[]): SqliteNotice[] =>
  database
    .writeEach(requests.map(({ statements }) => statements))
    .map((result, index): SqliteNotice => {
      const { id } = requests[index]!
      if (result instanceof Error) return failed(id, result)
      return { type: 'done', id, value: result }
    })

/** In order; writes that follow one another share a transaction. All are answered when all is durable. */
const serve = async (
  database: SqliteDatabase,
  requests: readonly SqliteRequest[],
): Promise<void> => {
  const notices: SqliteNotice[] = []
  let writes: Writing[] = []
  const flush = (): void => {
    if (writes.length > 0) notices.push(...write(database, writes))
    writes = []
  }
  for (const request of requests) {
    if (request.type === 'write') writes.push(request)
    else {
      flush()
      notices.push(await read(database, request))
    }
  }
  flush()
  post(...notices)
  if (requests.some(({ type }) => type === 'close')) parentPort!.close()
}

try {
  const database = openSqlite((workerData as { folder: string }).folder)
  parentPort!.on('message', (requests: readonly SqliteRequest[]) => void serve(database, requests))
  post({ type: 'opened' })
} catch (error) {
  post({ type: 'refused', message: textOf(error) })
  parentPort!.close()
}
