/** The thread in which SQLite works. It is started by `sqlite-thread.ts` and talks to it in the messages defined there. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Database } from './database.ts'
import { openSqlite } from './sqlite.ts'
import type { SqliteNotice, SqliteRequest } from './sqlite-thread.ts'

const post = (...notices: readonly SqliteNotice[]): void => parentPort!.postMessage(notices)

const textOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

const obey = (database: Database, request: SqliteRequest): Promise<unknown> => {
  switch (request.type) {
    case 'all':
      return database.all(request.sql, ...request.values)
    case 'write':
      return database.write(request.statements)
    case 'close':
      return database.close()
  }
}

const answer = async (database: Database, request: SqliteRequest): Promise<SqliteNotice> => {
  const { id } = request
  try {
    return { type: 'done', id, value: await obey(database, request) }
  } catch (thrown) {
    return { type: 'failed', id, message: textOf(thrown) }
  }
}

const serve = async (database: Database, requests: readonly SqliteRequest[]): Promise<void> => {
  const notices: SqliteNotice[] = []
  for (const request of requests) notices.push(await answer(database, request))
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
