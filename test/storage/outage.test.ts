import assert from 'node:assert/strict'
import test from 'node:test'
import { RefineError } from '../../src/core/errors.ts'
import { explain } from '../../src/storage/outage.ts'

const failure = (message: string, code?: string): Error =>
  Object.assign(new Error(message), { code })

const isOutage = (cause: unknown): boolean => explain(cause) instanceof RefineError

test('what a database may do later is told from what it will never do', () => {
  for (const code of [
    'SQLITE_BUSY',
    'SQLITE_BUSY_SNAPSHOT',
    'SQLITE_LOCKED',
    'SQLITE_FULL',
    'SQLITE_IOERR_WRITE',
    '57P01', // the server is stopped
    '57P03', // the server starts
    '08006', // the connection broke
    '53300', // too many connections
    '53100', // the disk is full
    '58030', // the disk does not answer
    '57014', // it takes too long
    '40001', // another transaction won
    'ECONNREFUSED',
    'ENOENT', // of its socket
    'ECONNRESET',
    'ETIMEDOUT',
  ])
    assert.equal(isOutage(failure('away', code)), true, code)
  assert.equal(isOutage(failure('Connection terminated unexpectedly')), true)
  assert.equal(isOutage(failure('Query read timeout')), true)
  assert.equal(isOutage(failure('timeout exceeded when trying to connect')), true)
  for (const code of ['SQLITE_CONSTRAINT_PRIMARYKEY', 'SQLITE_CORRUPT', '23505', '42P01', '22021'])
    assert.equal(isOutage(failure('never', code)), false, code)
  assert.equal(isOutage(failure('The thread of the database has ended.')), false)
  assert.equal(isOutage('away'), false)
})
