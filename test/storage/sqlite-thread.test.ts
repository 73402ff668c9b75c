import assert from 'node:assert/strict'
import test from 'node:test'
import { openSqliteThread } from '../../src/storage/sqlite-thread.ts'
import { temporaryFolder } from '../runs/support.ts'
import { createdOf, recordOf, storeContract } from './contract.ts'

storeContract({ open: openSqliteThread, create: async () => temporaryFolder() })

test('a folder in use is refused from the thread with the way out, and the thread ends', async () => {
  const folder = temporaryFolder()
  const first = await openSqliteThread(folder)
  try {
    await assert.rejects(openSqliteThread(folder), {
      name: 'RefineError',
      message: /another process uses it \(give this one another --data/,
    })
  } finally {
    await first.close()
  }
})

test('writes handed in before the store is closed are kept, and later ones fail with the reason', async () => {
  const folder = temporaryFolder()
  const feedback = { id: 'f', run_id: 'run_a', metric: 'correct', value: true, source: 'user' }
  const store = await openSqliteThread(folder)
  const writing = store.addFeedback({ ...feedback, at: '2026-01-01T00:00:00.000Z' })
  await store.close()
  await writing
  await assert.rejects(store.unfinished(), /thread of the database has ended/)
  const again = await openSqliteThread(folder)
  assert.deepEqual(
    (await again.feedback('run_a')).map(({ id }) => id),
    ['f'],
  )
  await again.close()
})

test('writes handed in together share a transaction, and one that cannot be applied fails alone', async () => {
  const store = await openSqliteThread(temporaryFolder())
  const create = (id: string) => {
    const created = createdOf(id, '2026-01-01T00:00:00.000Z')
    return store.create(recordOf(created), created)
  }
  const writes = await Promise.allSettled(['run_a', 'run_a', 'run_b'].map(create))
  assert.deepEqual(
    writes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(await store.unfinished(), ['run_a', 'run_b'])
  await store.close()
})
