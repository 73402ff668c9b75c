import type { ClientBase } from 'pg'
import { checkApplied, checksumOf, inPostgres, type Applied } from './migrations.ts'
import { STEPS } from './schema.ts'

/**
 * Brings the database to the newest version; the caller holds its lock. Each step leaves its checksum, so that a
 * database whose steps were others is not touched.
 * @throws Error when it was made by a newer program, or by one whose steps were others
 */
export const migratePostgres = async (client: ClientBase): Promise<void> => {
  await client.query(
    `CREATE TABLE IF NOT EXISTS schema_steps (
       version BIGINT PRIMARY KEY, checksum TEXT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now())`,
  )
  const { rows: applied } = await client.query<Applied>(
    'SELECT version, checksum FROM schema_steps ORDER BY version',
  )
  checkApplied(applied, STEPS)
  for (const [index, step] of STEPS.entries()) {
    if (index >= applied.length) await applyStep(client, index + 1, step)
  }
}

const applyStep = async (client: ClientBase, version: number, step: string): Promise<void> => {
  await client.query('BEGIN')
  try {
    await client.query(inPostgres(step))
    await client.query('INSERT INTO schema_steps (version, checksum) VALUES ($1, $2)', [
      version,
      checksumOf(step),
    ])
    await client.query('COMMIT')
  } catch (cause) {
    await client.query('ROLLBACK')
    throw cause
  }
}
