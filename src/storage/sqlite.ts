/** One SQLite file: the database of a plain install. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import Libsql from 'libsql'
import { RefineError } from '../core/errors.ts'
import { makeFolder } from '../files/make-folder.ts'
import type { Database, Statement, Value } from './database.ts'
import { migrateSqlite } from './migrations.ts'
import { DatabaseRunStore } from './run-store.ts'

const FILE = 'whetstone.db'

/** In place of a folder: a database that is gone when it is closed. */
export const IN_MEMORY = ':memory:'

/** @throws RefineError when there is no database in the folder, which opening it would make */
export const requireDatabase = (folder: string): void => {
  if (existsSync(path.join(folder, FILE))) return
  throw new RefineError('invalid_request', `--data ${folder}: there is no ${FILE} in this folder.`)
}

const open = (folder: string): Libsql.Database => {
  const file = folder === IN_MEMORY ? IN_MEMORY : path.join(folder, FILE)
  try {
    if (folder !== IN_MEMORY) makeFolder(folder)
    const database = new Libsql(file)
    // One process owns the file: a second one would take the runs of the first for left-overs of a crash.
    database.pragma('locking_mode = EXCLUSIVE')
    database.pragma('journal_mode = WAL')
    // Survives the death of the process at any moment; a power cut may take the last transactions, never the file.
    database.pragma('synchronous = NORMAL')
    // A checkpoint waits for the disk: after 32 MiB of log instead of 4, a page that changed often is written once.
    database.pragma('wal_autocheckpoint = 8000')
    migrateSqlite(database)
    return database
  } catch (cause) {
    const busy = cause instanceof Error && /locked|busy/i.test(cause.message)
    const reason = busy
      ? 'another process uses it (give this one another --data, or reach a running server with --url)'
      : (cause as Error).message
    throw new RefineError('internal', `The database ${file} cannot be opened: ${reason}.`, {
      cause,
    })
  }
}

/** Opens (and creates) the database in the folder. @throws RefineError when it cannot be opened or is in use. */
export const openSqlite = (folder: string): SqliteDatabase => new SqliteDatabase(open(folder))

/** A store that works on the thread of its caller: for tests, and for what has no event loop to keep free. */
export const openSqliteStore = (folder: string): DatabaseRunStore =>
  new DatabaseRunStore(openSqlite(folder))

/** Statements run at once, on the thread that asks: none of them may take long. */
export class SqliteDatabase implements Database {
  readonly #database: Libsql.Database
  readonly #prepared = new Map<string, Libsql.Statement>()

  constructor(database: Libsql.Database) {
    this.#database = database
  }

  async all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#prepare(sql).all(...values) as Row[]
  }

  async write(statements: readonly Statement[]): Promise<readonly number[]> {
    return this.#write([statements])[0]!
  }

  /**
   * Writes of which each applies all or none, in order, in as few transactions as possible: a commit costs more than most
   * of what it commits. Those that cannot be applied have their error in the result.
   */
  writeEach(writes: readonly (readonly Statement[])[]): (readonly number[] | Error)[] {
    try {
      return this.#write(writes)
    } catch (cause) {
      if (writes.length === 1) return [cause as Error]
      return writes.flatMap((statements) => this.writeEach([statements]))
    }
  }

  #write(writes: readonly (readonly Statement[])[]): number[][] {
    this.#database.exec('BEGIN')
    try {
      const changes = writes.map((statements) =>
        statements.map(({ sql, values }) => this.#prepare(sql).run(...values).changes),
      )
      this.#database.exec('COMMIT')
      return changes
    } catch (cause) {
      // A full disk has ended the transaction already.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
      throw cause
    }
  }

  async close(): Promise<void> {
    // The driver holds the file until its statements are collected; the lock must not wait for that, and SQLite gives
    // an exclusive lock back only outside WAL, at the next read.
    this.#database.pragma('journal_mode = DELETE')
    this.#database.pragma('locking_mode = NORMAL')
    this.#database.prepare('SELECT count(*) FROM runs WHERE 0').get()
    this.#database.close()
  }

  /** Making a statement costs more than running it. The texts are few. */
  #prepare(sql: string): Libsql.Statement {
    const known = this.#prepared.get(sql) ?? this.#database.prepare(sql)
    this.#prepared.set(sql, known)
    return known
  }
}
