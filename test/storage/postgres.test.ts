import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import pg from 'pg'
import { loadConfig } from '../../src/config.ts'
import { checkApplied, checksumOf, inPostgres } from '../../src/storage/migrations.ts'
import { openPostgresStore } from '../../src/storage/postgres.ts'
import { STEPS } from '../../src/storage/schema.ts'
import { silent } from '../runs/support.ts'
import { EventWriter } from '../../src/runs/event-writer.ts'
import { createdOf, recordOf, storeContract } from './contract.ts'
import { startPostgres } from './postgres-server.ts'

const CREATED = createdOf('run_a', '2026-01-01T00:00:00.000Z')

const server = await startPostgres()
after(() => server?.stop())

const open = (url: string) => openPostgresStore(url, silent)

const queried = async (url: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

if (server === undefined) {
  test('PostgreSQL is installed', (t) => {
    assert.ok(process.env['CI'] === undefined, 'where all must be tested, a server must be there')
    t.skip('no PostgreSQL server was found: install the Debian package postgresql')
  })
} else {
  storeContract({ open, create: () => server.create() })

  test('a database of a newer program, or of other steps, is refused', async () => {
    const url = await server.create()
    await (await open(url)).close()
    await queried(url, `INSERT INTO schema_steps (version, checksum) VALUES (99, 'x')`)
    await assert.rejects(() => open(url), /it has version \d+, and this program knows \d+ at most/)
    await queried(url, `DELETE FROM schema_steps WHERE version = 99`)
    await queried(url, `UPDATE schema_steps SET checksum = 'x' WHERE version = 2`)
    await assert.rejects(() => open(url), /step 2 of its schema is not the one this program knows/)
  })

  test('a step that fails leaves nothing of itself', async () => {
    const url = await server.create()
    await queried(url, 'CREATE TABLE deliveries (id TEXT)')
    await assert.rejects(() => open(url), /relation "deliveries" already exists/)
    await queried(url, 'DROP TABLE deliveries')
    await (await open(url)).close()
  })

  test('a server that comes back is used again, with everything that was acknowledged', async (t) => {
    const store = await open(await server.create())
    t.after(() => store.close())
    const version = (number: number) => ({
      key: 'k',
      version: number,
      at: 'then',
      origin: 'api' as const,
      definition: {},
    })
    await store.experiments.addVersion(version(1))
    await server.restart()
    // The first to notice may fail; nobody is stuck.
    await store.experiments.experiments().catch(() => undefined)
    await store.experiments.addVersion(version(2))
    assert.equal((await store.experiments.experiments())[0]!.version, 2)
  })

  test('a connection that breaks in the middle of a write fails that write, and nothing else', async (t) => {
    const url = await server.create()
    const store = await open(url)
    t.after(() => store.close())
    const [holder, killer] = [url, url].map((each) => new pg.Client({ connectionString: each }))
    await Promise.all([holder!.connect(), killer!.connect()])
    await holder!.query('BEGIN; LOCK TABLE feedback')
    const record = { id: 'f', run_id: 'r', at: 'then', metric: 'good', value: true } as const
    const failed = assert.rejects(() => store.addFeedback({ ...record, source: 'user' }), {
      code: 'storage_unavailable',
      retryAfter: 1,
    })
    const stuck = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO feedback%'`
    while ((await killer!.query(stuck)).rowCount === 0);
    await failed
    await Promise.all([holder!.end(), killer!.end()])
    await store.addFeedback({ ...record, source: 'user' })
    assert.equal((await store.feedback('r')).length, 1)
  })

  test('events that come while the server restarts are stored when it is back', async (t) => {
    const store = await open(await server.create())
    t.after(() => store.close())
    const created = createdOf('run_a', '2026-01-01T00:00:00.000Z')
    await store.create(recordOf(created), created)
    const writer = new EventWriter(store, silent)
    const run = { id: 'run_a', show() {}, release() {} }
    const restarting = server.restart()
    for (let sequence = 2; sequence < 40; sequence++) {
      const event = { ...created, sequence, type: 'warning', code: 'c', message: 'm' }
      writer.add(run, sequence - 1, JSON.stringify(event), undefined)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await restarting
    await writer.idle()
    const events = await store.events('run_a', 0, 100)
    assert.deepEqual(
      events.map(({ sequence }) => sequence),
      Array.from({ length: 39 }, (_, index) => index + 1),
    )
    assert.equal(writer.load.lostEvents, 0)
  })

  const feedback = (id: string) =>
    ({ id, run_id: 'r', at: 'then', metric: 'good', value: true, source: 'user' }) as const
  const gone = { code: 'storage_unavailable', retryAfter: 1 }

  test('a server that stands still is an outage for whoever asks, and used again when it goes on', async (t) => {
    const limits = { connect: 300, statement: 10_000, answer: 300 }
    const store = await openPostgresStore(await server.create(), silent, limits)
    t.after(() => store.close())
    const goOn = await server.freeze()
    try {
      await assert.rejects(() => store.addFeedback(feedback('1')), gone)
      await assert.rejects(() => store.feedback('r'), gone, 'nor is there a new connection')
      await assert.rejects(() => store.create(recordOf(CREATED), CREATED), gone)
    } finally {
      goOn()
    }
    await store.addFeedback(feedback('2'))
    assert.ok((await store.feedback('r')).some(({ id }) => id === '2'))
  })

  test('a store whose server stands still can be closed', async () => {
    const store = await open(await server.create())
    const goOn = await server.freeze()
    await store.close().finally(goOn)
  })

  test('a statement that takes too long is given up by the database, and said', async (t) => {
    const url = await server.create()
    const limits = { connect: 10_000, statement: 100, answer: 10_000 }
    const store = await openPostgresStore(url, silent, limits)
    t.after(() => store.close())
    const holder = new pg.Client({ connectionString: url })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE feedback')
    await assert.rejects(() => store.addFeedback(feedback('1')), gone)
    await holder.end()
    await store.addFeedback(feedback('1'))
    assert.equal((await store.feedback('r')).length, 1)
  })

  test('a server that lost the database to another one writes nothing more', async (t) => {
    const url = await server.create()
    const [first, killer] = [await open(url), new pg.Client({ connectionString: url })]
    t.after(() => first.close())
    await killer.connect()
    const lockers = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    await killer.query(lockers)
    await killer.end()
    const second = await open(url)
    const gone = { code: 'storage_unavailable' }
    await assert.rejects(() => first.unfinished(), gone, 'the other one is at work')
    await second.close()
    await assert.rejects(() => first.unfinished(), gone, 'it has ended the runs of the first')
    await (await open(url)).close()
  })

  test('an address without a server is an error that keeps the password to itself', async () => {
    const url = 'postgres://user:secret@127.0.0.1:1/none'
    await assert.rejects(
      () => open(url),
      ({ message }: Error) =>
        /127.0.0.1:1\/none cannot be opened/.test(message) && !/secret/.test(message),
    )
  })
}

test('the schema says the same in the words of PostgreSQL', () => {
  assert.equal(
    inPostgres('CREATE TABLE a (id INTEGER PRIMARY KEY, b REAL, c TEXT) WITHOUT ROWID;'),
    'CREATE TABLE a (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, b DOUBLE PRECISION, c TEXT COLLATE "C");',
  )
  const applied = STEPS.map((step, index) => ({ version: index + 1, checksum: checksumOf(step) }))
  checkApplied(applied, STEPS)
  assert.throws(() => checkApplied(applied, STEPS.slice(1)), /knows/)
})

test('the database is chosen by flag, variable or file, and a wrong one is not repeated', () => {
  const url = 'postgres://user:secret@host/name'
  assert.equal(loadConfig({}, {}).database, undefined)
  assert.equal(loadConfig({}, { WHETSTONE_DATABASE: url }).database, url)
  assert.equal(loadConfig({ database: 'sqlite' }, { WHETSTONE_DATABASE: url }).database, undefined)
  assert.throws(
    () => loadConfig({ database: 'mysql://user:secret@host/name' }, {}),
    ({ message }: Error) => /--database.*postgres:\/\//.test(message) && !/secret/.test(message),
  )
})
