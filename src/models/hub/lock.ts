/** One process at a time works on a model. */
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import { RefineError } from '../../core/errors.ts'

interface Holder {
  readonly host: string
  readonly pid: number
  readonly token: string
}

const hasCode = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === code

const isAlive = ({ host, pid }: Holder): boolean => {
  // Of a process on another machine, as on a shared disk, nothing can be known.
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return hasCode(thrown, 'EPERM')
  }
}

const readHolder = async (file: string): Promise<Holder | undefined> => {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/** Puts a complete lock file in place, or finds one there: a half-written one is never seen. */
const place = async (file: string, holder: Holder): Promise<boolean> => {
  const draft = `${file}.${holder.token}`
  const handle = await open(draft, 'wx')
  await handle.writeFile(JSON.stringify(holder))
  await handle.close()
  try {
    await link(draft, file)
    return true
  } catch (thrown) {
    if (hasCode(thrown, 'EEXIST')) return false
    throw thrown
  } finally {
    await rm(draft, { force: true })
  }
}

/** Takes away the lock of a process that is gone; puts it back when another process was faster and holds it now. */
const clear = async (file: string, gone: Holder): Promise<void> => {
  const aside = `${file}.${randomUUID()}`
  await rename(file, aside).catch(() => undefined)
  const found = await readHolder(aside)
  if (found !== undefined && found.token !== gone.token)
    await link(aside, file).catch(() => undefined)
  await rm(aside, { force: true })
}

/**
 * Runs the action while nobody else holds the lock; one that a process left behind when it died does not count.
 * @throws RefineError conflict naming the process that holds it.
 */
export const withLock = async <Result>(
  file: string,
  what: string,
  action: () => Promise<Result>,
): Promise<Result> => {
  const mine: Holder = { host: hostname(), pid: process.pid, token: randomUUID() }
  if (!(await place(file, mine))) {
    const holder = await readHolder(file)
    if (holder !== undefined && !isAlive(holder)) await clear(file, holder)
    if (!(await place(file, mine))) {
      const who = holder === undefined ? '' : ` (process ${holder.pid} on ${holder.host})`
      throw new RefineError(
        'conflict',
        `${what} is being changed by another process${who}. If there is none, delete ${file}`,
      )
    }
  }
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}
