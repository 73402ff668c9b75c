import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import Libsql from 'libsql'
import { openSqliteStore } from '../../src/storage/sqlite.ts'
import { temporaryFolder } from '../runs/support.ts'
import { storeContract } from './contract.ts'

storeContract({
  open: async (folder) => openSqliteStore(folder),
  create: async () => temporaryFolder(),
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
