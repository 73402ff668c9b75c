/** The thread in which SQLite works. It is started by `sqlite-thread.ts` and talks to it in the messages defined there. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Database } from './database.ts'
import { openSqlite } from './sqlite.ts'
import type { SqliteNotice, SqliteRequest } from './sqlite-thread.ts'

const post = (notice: SqliteNotice): void => parentPort!.postMessage(notice)

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

const serve = async (database: Database, request: SqliteRequest): Promise<void> => {
  const { id } = request
  try {
    post({ type: 'done', id, value: await obey(database, request) })
  } catch (thrown) {
    post({ type: 'failed', id, message: textOf(thrown) })
  }
  if (request.type === 'close') parentPort!.close()
}

try {
  const database = openSqlite((workerData as { folder: string }).folder)
  parentPort!.on('message', (request: SqliteRequest) => void serve(database, request))
  post({ type: 'opened' })
} catch (error) {
  post({ type: 'refused', message: textOf(error) })
  parentPort!.close()
}
