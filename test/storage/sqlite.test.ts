import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import Libsql from 'libsql'
import type { RefineError } from '../../src/core/errors.ts'
import { Experiments } from '../../src/experiments/experiments.ts'
import { insertRows } from '../../src/storage/database.ts'
import { migrateSqlite } from '../../src/storage/migrations.ts'
import { explain } from '../../src/storage/outage.ts'
import { STEPS } from '../../src/storage/schema.ts'
import { IN_MEMORY, openSqlite, openSqliteStore } from '../../src/storage/sqlite.ts'
import { count } from '../experiments/load.ts'
import { silent, temporaryFolder } from '../runs/support.ts'
import { storeContract } from './contract.ts'

storeContract({
  open: async (folder) => openSqliteStore(folder),
  create: async () => temporaryFolder(),
})

const FIXTURES = path.resolve(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'test',
  'fixtures',
  'databases',
)

const schemaOf = (database: Libsql.Database): unknown =>
  database
    .prepare(`SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name`)
    .all()
    .map((row) =>
      JSON.stringify(row)
        .replaceAll(/\\n|\s+/g, ' ')
        .replaceAll(/\s+/g, ' '),
    )

test('every earlier version of the schema becomes the newest, and the same as a new one', () => {
  const fresh = new Libsql(':memory:')
  migrateSqlite(fresh)
  for (let version = 1; version < STEPS.length; version++) {
    const old = new Libsql(':memory:')
    for (const step of STEPS.slice(0, version)) old.exec(step)
    old.pragma(`user_version = ${version}`)
    migrateSqlite(old)
    assert.deepEqual(schemaOf(old), schemaOf(fresh), `from version ${version}`)
  }
})

/** Written by the program when its schema had five steps: 4 runs of 3 users, rated, in a running experiment. */
test('a file of an earlier program keeps its runs, feedback and results, and goes on counting', async () => {
  const folder = temporaryFolder()
  const old = new Libsql(path.join(folder, 'whetstone.db'))
  old.exec(`BEGIN; ${readFileSync(path.join(FIXTURES, 'version-5.sql'), 'utf8')} COMMIT;`)
  old.close()
  const store = openSqliteStore(folder)
  const experiments = await Experiments.open({ store: store.experiments, log: silent })
  const figures = async () => {
    const { results } = await experiments.view('old')
    const correct = results.arms.map(({ metrics }) => metrics['correct']!)
    return [
      results.arms.reduce((sum, { exposures }) => sum + exposures, 0),
      correct.reduce((sum, { count }) => sum + count, 0),
      Math.round(correct.reduce((sum, { count, mean }) => sum + count * (mean ?? 0), 0)),
    ]
  }
  assert.deepEqual(await figures(), [3, 4, 2])
  const kind = { strategy: 'single', model: 'good', options: {} }
  assert.equal((await store.meanUsage(kind))?.runs, 4)
  const { runs } = await store.list({ owner: '', limit: 9, order: 'asc' })
  const id = runs[0]!.id
  assert.deepEqual(
    (await store.feedback(id)).map(({ metric, value }) => [metric, value]),
    [
      ['correct', true],
      ['rating', 1],
    ],
  )
  // What was said before has no actor: the same speaker takes it back, another one adds to it.
  await count(experiments, { runId: id, metric: 'correct', value: false, source: 'user' })
  assert.deepEqual(await figures(), [3, 4, 1])
  await count(experiments, {
    runId: id,
    metric: 'correct',
    value: true,
    source: 'user',
    actor: 'ann',
  })
  assert.deepEqual(await figures(), [3, 5, 2])
  await experiments.idle()
  await store.close()
})

test('a file of a newer program is refused and left as it is', async () => {
  const folder = temporaryFolder()
  await openSqliteStore(folder).close()
  const database = new Libsql(path.join(folder, 'whetstone.db'))
  database.exec('PRAGMA user_version = 99')
  database.close()
  assert.throws(
    () => openSqliteStore(folder),
    /it has version 99, and this program knows \d+ at most/,
  )
})

test('a full disk is told as such, whatever it did to the transaction, and a disk with room is used again', async (t) => {
  const database = openSqlite(IN_MEMORY)
  t.after(() => database.close())
  const rows = (from: number) =>
    insertRows(
      'feedback',
      ['id', 'run_id', 'at', 'body'],
      Array.from({ length: 10 }, (_, index) => [`f${from + index}`, 'r', 'then', 'x'.repeat(5000)]),
    )
  await database.all('PRAGMA max_page_count = 1') // no more than there are
  const [first, second] = database.writeEach([rows(0), rows(10)])
  assert.equal((explain(first) as RefineError).code, 'storage_unavailable')
  assert.equal((explain(second) as RefineError).code, 'storage_unavailable')
  await database.all('PRAGMA max_page_count = 100000')
  await database.write(rows(0))
  assert.equal((await database.all('SELECT id FROM feedback')).length, 10)
})

test('a data folder where none can be made is an error', (t) => {
  if (!existsSync('/proc/self')) return t.skip('this system has no /proc')
  assert.throws(() => openSqlite('/proc/whetstone/data'), /cannot be opened: ENOENT/)
})
