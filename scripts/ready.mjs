// Makes a checkout ready to run: installs when the lock file changed, builds when a source changed, else does nothing.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const force = process.argv.includes('--force')
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Whetstone needs Node 20.19 or newer; this is ${process.version}.`)
  process.exit(1)
}

const run = (command, args) => {
  // Set-up output goes to stderr: stdout belongs to the program that starts afterwards.
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (error) console.error(error.message)
  if (status !== 0) process.exit(status ?? 1)
}

const digest = (text) => createHash('sha256').update(text).digest('hex')

const stampHolds = (stamp, value) => existsSync(stamp) && readFileSync(stamp, 'utf8') === value

const sources = (folder) =>
  readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name))

const install = () => {
  const stamp = path.join(root, 'node_modules', '.whetstone-installed')
  const wanted = digest(
    readFileSync(path.join(root, 'package-lock.json'), 'utf8') + process.platform + process.arch,
  )
  if (stampHolds(stamp, wanted)) return
  console.error('Installing packages …')
  // Not `npm ci`: it refuses a lock file made where the registry offers no builds of optional packages for other platforms.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(stamp, wanted)
}

const build = () => {
  const stamp = path.join(root, 'dist', '.whetstone-built')
  const files = ['src', 'test', 'loadtest']
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap(sources)
  const state = [...files, path.join(root, 'tsconfig.json'), path.join(root, 'package-lock.json')]
    .toSorted((left, right) => left.localeCompare(right))
    .map((file) => `${file} ${statSync(file).mtimeMs} ${statSync(file).size}`)
  const wanted = digest(state.join('\n'))
  if (!force && stampHolds(stamp, wanted)) return
  console.error('Building …')
  rmSync(path.join(root, 'dist'), { recursive: true, force: true })
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  run(process.execPath, [tsc])
  // What runs in browsers has the types of browsers; this also declares the client's types for those who import it.
  run(process.execPath, [tsc, '-p', path.join('src', 'playground')])
  mkdirSync(path.dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

install()
build()
