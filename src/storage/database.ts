/**
 * What stores need of a database: SQL that SQLite and PostgreSQL both understand, with `?` for parameters. A write is
 * a list of statements made beforehand, applied all or none, so that no transaction ever waits for the program.
 */

export type Value = string | number | null

export interface Statement {
  readonly sql: string
  readonly values: readonly Value[]
}

export interface Database {
  /** Rows; whole numbers come as numbers. */
  all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]>
  /** Applies all or none, in order; resolves with the number of rows each changed, when that is durable. */
  write(statements: readonly Statement[]): Promise<readonly number[]>
  close(): Promise<void>
}

export const statement = (sql: string, ...values: readonly Value[]): Statement => ({ sql, values })

/** Rows that go in one statement: each statement costs more than a row. */
const TOGETHER = 32

const placeholders = (columns: number): string => `(${Array(columns).fill('?').join(', ')})`

/** In groups of 32 and of one, so that there are two texts to be prepared, whatever the number. */
const inGroups = <Item>(items: readonly Item[]): Item[][] => {
  const groups: Item[][] = []
  let at = 0
  for (; at + TOGETHER <= items.length; at += TOGETHER) groups.push(items.slice(at, at + TOGETHER))
  for (const item of items.slice(at)) groups.push([item])
  return groups
}

/** Inserts rows; `conflict` is what follows `ON CONFLICT`. Rows of one statement must have different keys. */
export const insertRows = (
  table: string,
  columns: readonly string[],
  rows: readonly (readonly Value[])[],
  conflict?: string,
): Statement[] =>
  inGroups(rows).map((group) => {
    const tuples = group.map(() => placeholders(columns.length)).join(', ')
    const end = conflict === undefined ? '' : ` ON CONFLICT ${conflict}`
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${tuples}${end}`
    return { sql, values: group.flat() }
  })

/** `DO UPDATE` that takes the new row in place of the old one. */
export const replacing = (key: string, columns: readonly string[]): string =>
  `(${key}) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`

/** `DO UPDATE` that adds the new row to the old one. */
export const adding = (table: string, key: string, columns: readonly string[]): string => {
  const sums = columns.map((name) => `${name} = ${table}.${name} + excluded.${name}`)
  return `(${key}) DO UPDATE SET ${sums.join(', ')}`
}

/** Whole numbers stand for columns of whole numbers, text for text: PostgreSQL wants to know beforehand. */
const typed = (part: string | number): string =>
  `CAST(? AS ${typeof part === 'number' ? 'BIGINT' : 'TEXT'})`

/** Does the same for the rows whose column, at the end of the text, has one of the values. */
export const forEach = (sql: string, values: readonly string[]): Statement[] =>
  inGroups(values).map((group) => ({
    sql: `${sql} IN ${placeholders(group.length)}`,
    values: group,
  }))

/** Rows of the tables whose columns equal those of any of the keys. */
export const findRows = async <Row>(
  database: Database,
  { fields, from }: { readonly fields: string; readonly from: string },
  columns: readonly string[],
  keys: readonly (readonly (string | number)[])[],
): Promise<Row[]> => {
  const on = columns.map((name, index) => `${name} = k.column${index + 1}`).join(' AND ')
  const found: Row[] = []
  for (const group of inGroups(keys)) {
    const wanted = group.map((key) => `(${key.map(typed).join(', ')})`).join(', ')
    const sql = `SELECT ${fields} FROM (VALUES ${wanted}) AS k JOIN ${from} ON ${on}`
    found.push(...(await database.all<Row>(sql, ...group.flat())))
  }
  return found
}
