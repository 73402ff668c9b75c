/**
 * A PostgreSQL database. One server at a time works with it, as with the SQLite file: a lock that lasts as long as its
 * session keeps a second one from taking the runs of the first for left-overs of a crash.
 */
import { hash, randomUUID } from 'node:crypto'
import pg from 'pg'
import { RefineError } from '../core/errors.ts'
import type { Log } from '../core/strategy.ts'
import type { Database, Statement, Value } from './database.ts'
import { explain } from './outage.ts'
import { migratePostgres } from './postgres-migrations.ts'
import { DatabaseRunStore } from './run-store.ts'

/** Whoever works with a database holds this advisory lock of it. */
const LOCK = 0x57_68_65_74

/** How long the database may take to notice that the session of a server that ended is over. */
const LOCK_MILLISECONDS = 2000
/** SQLSTATE lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03'

const MOST_CONNECTIONS = 10

/** How long, in milliseconds, each is waited for; what takes longer is an outage. */
export interface PostgresLimits {
  /** A connection, new or free. */
  readonly connect: number
  /** A statement, by the clock of the database: it then gives it up. */
  readonly statement: number
  /** The answer to a statement: a server that stands still, or is cut off, says nothing and closes nothing. */
  readonly answer: number
}

const LIMITS: PostgresLimits = { connect: 10_000, statement: 30_000, answer: 35_000 }
/** Of silence before the system asks whether the other side is still there. */
const KEEP_ALIVE_MILLISECONDS = 10_000

/** As the driver has it; its types leave `unref` out. */
type Client = pg.PoolClient & { unref(): void }

/** Whole numbers and averages as numbers: none of ours is beyond 2⁵³. */
const parsers = new pg.TypeOverrides()
parsers.setTypeParser(pg.types.builtins.INT8, Number)
parsers.setTypeParser(pg.types.builtins.NUMERIC, Number)

/** What may be said of an address: never its password. */
const nameOf = (url: string): string => {
  const { host, pathname, searchParams } = new URL(url)
  return `${searchParams.get('host') ?? host}${pathname}`
}

/** @throws RefineError when it cannot be reached, is in use, or was made by another version */
export const openPostgresStore = async (
  url: string,
  log: Log,
  limits = LIMITS,
): Promise<DatabaseRunStore> => {
  const database = new PostgresDatabase(url, log, limits)
  try {
    await database.open()
    return new DatabaseRunStore(database)
  } catch (cause) {
    await database.close()
    const reason = (cause as Error).message
    throw new RefineError('internal', `The database ${nameOf(url)} cannot be opened: ${reason}.`, {
      cause,
    })
  }
}

/** No text of PostgreSQL holds a NUL, and none may be asked for: callers do, in ids that they make up. */
const asked = (value: Value): Value =>
  typeof value === 'string' ? value.replaceAll('\0', '\u0001') : value

const explained = (cause: unknown): never => {
  throw explain(cause)
}

interface Prepared {
  /** By which the server knows the statement in each session. */
  readonly name: string
  readonly text: string
}

class PostgresDatabase implements Database {
  readonly #options: pg.ClientConfig
  readonly #pool: pg.Pool
  readonly #clients = new Set<Client>()
  readonly #log: Log
  readonly #prepared = new Map<string, Prepared>()
  /** Tells a server that lost the lock whether another one has had it meanwhile. */
  readonly #id = randomUUID()
  #isOpen = false
  /** The session that holds the lock. */
  #owner: pg.PoolClient | undefined
  #owning: Promise<void> | undefined

  constructor(url: string, log: Log, limits: PostgresLimits) {
    this.#options = {
      connectionString: url,
      connectionTimeoutMillis: limits.connect,
      application_name: 'whetstone',
      types: parsers,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
    }
    this.#log = log
    this.#pool = new pg.Pool({
      ...this.#options,
      max: MOST_CONNECTIONS,
      query_timeout: limits.answer,
      // Not with the connection, which a pooler in between would refuse. It is waited for, whatever its type says.
      onConnect: ((client) =>
        client.query(`SET statement_timeout = ${limits.statement}`)) as pg.PoolConfig['onConnect'],
    })
    // What a connection in use is asked fails with it; but a failure that nobody listens to would end the process.
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined)
      this.#clients.add(client as Client)
    })
    this.#pool.on('remove', (client) => this.#clients.delete(client as Client))
    // An idle connection that breaks is replaced by the next query.
    this.#pool.on('error', (cause) => log.warn({ err: cause }, 'a database connection broke'))
  }

  async open(): Promise<void> {
    await this.#own()
    await this.#migrate()
    await this.#owner!.query('CREATE TABLE IF NOT EXISTS last_server (id TEXT NOT NULL)')
    await this.#owner!.query('DELETE FROM last_server')
    await this.#owner!.query('INSERT INTO last_server (id) VALUES ($1)', [this.#id])
    this.#isOpen = true
  }

  async all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    const query = { ...this.#prepare(sql), values: values.map(asked) }
    const { rows } = await this.#own()
      .then(() => this.#pool.query(query))
      .catch(explained)
    return rows as Row[]
  }

  async write(statements: readonly Statement[]): Promise<readonly number[]> {
    return statements.length === 0 ? [] : this.#write(statements).catch(explained)
  }

  async #write(statements: readonly Statement[]): Promise<readonly number[]> {
    await this.#own()
    const client = await this.#pool.connect()
    let broken: Error | undefined
    try {
      return await this.#transact(client, statements)
    } catch (cause) {
      // Whoever gave no answer is asked no more.
      if (!(cause instanceof pg.DatabaseError)) broken = cause as Error
      else await client.query('ROLLBACK').catch((error: Error) => (broken = error))
      throw cause
    } finally {
      client.release(broken)
    }
  }

  async close(): Promise<void> {
    const owner = this.#owner
    this.#owner = undefined
    owner?.release(true)
    const clients = [...this.#clients]
    await this.#pool.end()
    // The end of the process does not wait for a server that does not say goodbye.
    for (const client of clients) client.unref()
  }

  /** A step may take longer than any limit. */
  async #migrate(): Promise<void> {
    const client = new pg.Client(this.#options)
    await client.connect()
    try {
      await migratePostgres(client)
    } finally {
      await client.end()
    }
  }

  async #transact(client: pg.PoolClient, statements: readonly Statement[]): Promise<number[]> {
    const changes: number[] = []
    // A statement by itself is a transaction.
    if (statements.length > 1) await client.query('BEGIN')
    for (const { sql, values } of statements) {
      const { rowCount } = await client.query({ ...this.#prepare(sql), values: [...values] })
      changes.push(rowCount ?? 0)
    }
    if (statements.length > 1) await client.query('COMMIT')
    return changes
  }

  /** Resolves while the lock is held; takes it again when its session was lost. */
  #own(): Promise<void> {
    if (this.#owner !== undefined) return Promise.resolve()
    this.#owning ??= this.#lock().finally(() => (this.#owning = undefined))
    return this.#owning
  }

  async #lock(): Promise<void> {
    const client = await this.#pool.connect()
    try {
      await client.query(`SET lock_timeout = ${LOCK_MILLISECONDS}`)
      await client.query('SELECT pg_advisory_lock($1)', [LOCK])
      await client.query('RESET lock_timeout')
      if (this.#isOpen) await this.#checkLast(client)
    } catch (cause) {
      client.release(true)
      if ((cause as pg.DatabaseError).code !== LOCK_NOT_AVAILABLE) throw cause
      const message = 'another server uses it; give this one a database of its own'
      throw new RefineError('storage_unavailable', message, { cause, retryAfter: 1 })
    }
    client.once('error', (cause) => {
      this.#log.error({ err: cause }, 'the database was lost')
      if (this.#owner === client) this.#owner = undefined
      client.release(cause)
    })
    this.#owner = client
  }

  /** Another server has ended the runs of this one: what they add would stand behind their ends. */
  async #checkLast(client: pg.PoolClient): Promise<void> {
    const { rows } = await client.query<{ readonly id: string }>('SELECT id FROM last_server')
    if (rows[0]?.id === this.#id) return
    const message =
      'Another server has used the database meanwhile: this one has to be started again.'
    this.#log.error({}, message)
    throw new RefineError('storage_unavailable', message)
  }

  /** `?` becomes `$1`, `$2`, …: no text of ours holds a question mark. */
  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    let parameter = 0
    const text = sql.replaceAll('?', () => `$${++parameter}`)
    const prepared = { name: hash('sha1', text).slice(0, 16), text }
    this.#prepared.set(sql, prepared)
    return prepared
  }
}
