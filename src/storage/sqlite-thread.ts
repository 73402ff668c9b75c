/**
 * SQLite on a thread of its own: a commit waits for the disk and holds whoever makes it, which must not be the event
 * loop. Statements are carried out in the order in which they were handed in.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { RefineError } from '../core/errors.ts'
import type { Database, Statement, Value } from './database.ts'
import { explain } from './outage.ts'
import { DatabaseRunStore } from './run-store.ts'

export type SqliteCommand =
  | { readonly type: 'all'; readonly sql: string; readonly values: readonly Value[] }
  | { readonly type: 'write'; readonly statements: readonly Statement[] }
  | { readonly type: 'close' }

export type SqliteRequest = SqliteCommand & { readonly id: number }

export type SqliteNotice =
  | { readonly type: 'opened' }
  /** Why the database cannot be opened, in words for the operator. */
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  /** `code` is that of SQLite, where there is one. */
  | {
      readonly type: 'failed'
      readonly id: number
      readonly message: string
      readonly code: string | undefined
    }

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: unknown) => void
}

const WORKER = new URL('./sqlite-worker.js', import.meta.url)

class SqliteThread implements Database {
  readonly #worker: Worker
  /** Handed over together at the end of the turn: waking the thread costs this one more than most of what it is asked. */
  #handedIn: SqliteRequest[] = []
  readonly #waiting = new Map<number, Waiting>()
  #requests = 0
  #ended: Error | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (notices: readonly SqliteNotice[]) => {
      for (const notice of notices) this.#take(notice)
    })
    worker.on('error', (cause) => this.#end(cause))
    worker.on('exit', () => this.#end(new Error('The thread of the database has ended.')))
  }

  all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#ask({ type: 'all', sql, values }) as Promise<Row[]>
  }

  write(statements: readonly Statement[]): Promise<readonly number[]> {
    return this.#ask({ type: 'write', statements }) as Promise<readonly number[]>
  }

  /** Closes the file when everything handed in before is done, and ends the thread. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    const exited = once(this.#worker, 'exit')
    await this.#ask({ type: 'close' })
    await exited
  }

  #ask(command: SqliteCommand): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const id = this.#requests++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      if (this.#handedIn.length === 0) setImmediate(() => this.#handOver())
      this.#handedIn.push({ ...command, id })
    })
  }

  #handOver(): void {
    const requests = this.#handedIn
    this.#handedIn = []
    this.#worker.postMessage(requests)
  }

  #take(notice: SqliteNotice): void {
    if (notice.type !== 'done' && notice.type !== 'failed') return
    const waiting = this.#waiting.get(notice.id)
    this.#waiting.delete(notice.id)
    if (notice.type === 'done') waiting?.resolve(notice.value)
    else {
      const { message, code } = notice
      waiting?.reject(explain(Object.assign(new Error(message), { code })))
    }
  }

  #end(cause: Error): void {
    this.#ended ??= cause
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }
}

/**
 * Opens (and creates) the database in the folder, on a thread that lives until the store is closed.
 * @throws RefineError when it cannot be opened or is in use.
 */
export const openSqliteThread = async (folder: string): Promise<DatabaseRunStore> => {
  const worker = new Worker(WORKER, { workerData: { folder } })
  const [[notice]] = (await once(worker, 'message')) as [readonly [SqliteNotice]]
  if (notice.type === 'refused') throw new RefineError('internal', notice.message)
  return new DatabaseRunStore(new SqliteThread(worker))
}
