/** A PostgreSQL server of its own for a test file, on a Unix socket in a folder that goes with it. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'

const VERSIONS = '/usr/lib/postgresql'

/** Folder of the server's programs: Debian keeps them out of the path. */
const findPrograms = (): string | undefined => {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : []
  const folders = [
    ...versions
      .toSorted((a, b) => Number(b) - Number(a))
      .map((each) => path.join(VERSIONS, each, 'bin')),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
  ]
  return folders.find((folder) =>
    ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name))),
  )
}

/** The server refuses to run as root. */
const otherUser = (): { uid?: number; gid?: number } => {
  if (process.getuid?.() !== 0) return {}
  const read = (flag: string): number =>
    Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: read('-u'), gid: read('-g') }
}

export interface PostgresServer {
  /** Address of a new, empty database. */
  create(): Promise<string>
  /** Ends the server at once, as a crash would, and starts it again. */
  restart(): Promise<void>
  /** Lets all of it stand still, with its connections open; it goes on when the result is called. */
  freeze(): Promise<() => void>
  stop(): Promise<void>
}

/** Undefined where no server is installed. */
export const startPostgres = async (): Promise<PostgresServer | undefined> => {
  const programs = findPrograms()
  if (programs === undefined) return undefined
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-pg-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const user = otherUser()
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!)
  const data = path.join(folder, 'data')
  const options = { ...user, cwd: folder, stdio: 'ignore' } as const
  execFileSync(
    path.join(programs, 'initdb'),
    [
      '-D',
      data,
      '-U',
      'tester',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      // Text that is sorted as people would: ids must not be.
      '--locale-provider=icu',
      '--icu-locale=en',
      '--no-sync',
    ],
    options,
  )
  const address = (name: string): string =>
    `postgres://tester@localhost/${name}?host=${encodeURIComponent(folder)}`
  const launch = async () => {
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${folder}`,
      'fsync=off',
      'max_connections=60',
    ]
    const argv = ['-D', data, ...settings.flatMap((each) => ['-c', each])]
    const child = spawn(path.join(programs, 'postgres'), argv, options)
    const exit = once(child, 'exit')
    for (;;) {
      const client = new pg.Client({ connectionString: address('postgres') })
      client.on('error', () => undefined)
      const isUp = await client.connect().then(
        () => true,
        () => false,
      )
      await client.end().catch(() => undefined)
      if (isUp) return { child, exit }
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  let server = await launch()
  let databases = 0
  /** With the processes that serve its connections; those that are gone by now need nothing. */
  const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
      }
    }
  }
  const end = async (): Promise<void> => {
    server.child.kill('SIGQUIT')
    await server.exit
  }
  return {
    create: async () => {
      const client = new pg.Client({ connectionString: address('postgres') })
      await client.connect()
      const name = `test${++databases}`
      await client.query(`CREATE DATABASE ${name}`)
      await client.end()
      return address(name)
    },
    restart: async () => {
      await end()
      server = await launch()
    },
    freeze: async () => {
      const client = new pg.Client({ connectionString: address('postgres') })
      await client.connect()
      const sessions = await client.query<{ readonly pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      )
      await client.end()
      const pids = [server.child.pid!, ...sessions.rows.map(({ pid }) => pid)]
      signalAll(pids, 'SIGSTOP')
      return () => signalAll(pids, 'SIGCONT')
    },
    stop: end,
  }
}
