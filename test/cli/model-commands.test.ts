import assert from 'node:assert/strict'
import test from 'node:test'
import { runCommand, type CommandDependencies } from '../../src/cli/index.ts'
import type { DoctorReport } from '../../src/cli/doctor.ts'
import { StoreProgress } from '../../src/cli/store-progress.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { InstalledModel, ModelStore, StoreCall } from '../../src/core/model-store.ts'
import { capture, input } from './fixtures.ts'

const MODEL: InstalledModel = {
  id: 'owner/name',
  folder: '/models/owner--name',
  installedAt: '2026-01-02T03:04:05.006Z',
  origin: { kind: 'import', path: '/somewhere', mode: 'link' },
  files: [{ path: 'model.gguf', size: 12_345_678, sha256: '0'.repeat(64) }],
}

const execute = async (argv: string[], report: DoctorReport = { findings: [] }) => {
  const seen: unknown[] = []
  const answer = async (request: unknown, { report: tell }: StoreCall) => {
    seen.push(request)
    tell({ type: 'plan', files: 1, bytes: 100, done: 50 })
    tell({ type: 'bytes', count: 50 })
    return MODEL
  }
  const store: ModelStore = {
    folder: '/models',
    list: () => [MODEL],
    pull: answer,
    import: answer,
    remove: async (id) => {
      if (id !== MODEL.id) throw new RefineError('unknown_model', `${id} is not installed.`)
    },
  }
  const unused = () => Promise.reject(new Error('not asked for'))
  const deps: CommandDependencies = {
    version: '1.2.3',
    serveFlags: [],
    serve: unused,
    openRuns: unused,
    openModelStore: async (settings) => {
      seen.push(settings)
      return store
    },
    examine: async () => report,
    packageRoot: '.',
    openapi: unused,
  }
  const [stdout, stderr] = [capture(), capture()]
  const { signal } = new AbortController()
  const io = { stdin: input(''), stdout, stderr, environment: {}, signal }
  const code = await runCommand(argv, io, deps)
  return { code, out: stdout.text(), err: stderr.text(), seen }
}

test('pull says where the model is and how to use it; its progress goes to standard error', async () => {
  const { code, out, err, seen } = await execute(
    'pull owner/name@v1 --file Q4 --id mine --models-dir /m --offline'.split(' '),
  )
  assert.equal(code, 0)
  assert.match(
    out,
    /installed in \/models\/owner--name \(12\.3 MB\)\.\nUse it: .*--model owner\/name/,
  )
  assert.match(err, /1 file, 100 B, 50 B of it there already\n100 % {2}100 B of 100 B/)
  assert.deepEqual(seen[1], { reference: 'owner/name@v1', file: 'Q4', id: 'mine' })
  assert.equal((seen[0] as Record<string, string>)['models-dir'], '/m')
})

test('import says whether it linked or copied', async () => {
  const { out, seen } = await execute(['import', '/somewhere', '--copy'])
  assert.match(out, /by hard links to \/somewhere/)
  assert.deepEqual(seen[1], { path: '/somewhere', copy: true })
})

test('installed models are listed, and as JSON', async () => {
  assert.match(
    (await execute(['models', '--installed'])).out,
    /owner\/name {2}12\.3 MB {2}linked from \/somewhere/,
  )
  assert.deepEqual(JSON.parse((await execute(['models', '--installed', '--json'])).out), [MODEL])
})

test('a model is removed by its id, and without one the usage is told', async () => {
  assert.equal((await execute(['remove', 'owner/name'])).out, 'owner/name is removed.\n')
  assert.equal((await execute(['remove', 'other'])).code, 1)
  const { code, err } = await execute(['remove'])
  assert.equal(code, 2)
  assert.match(err, /Which one\? Usage: whetstone remove ID/)
})

const finding = (verdict: 'ok' | 'absent' | 'broken') => ({
  group: 'devices',
  name: verdict,
  verdict,
  detail: `detail of ${verdict}`,
  advice: `advice for ${verdict}`,
})

test('doctor fails when something is broken, and not when something is merely absent', async () => {
  const well = await execute(['doctor'], { findings: [finding('ok'), finding('absent')] })
  assert.equal(well.code, 0)
  assert.match(well.out, /devices\n {2}ok .*detail of ok\n.*advice for ok\n/)
  assert.match(well.out, /Nothing is broken\.\n$/)
  const ill = await execute(['doctor', '--json'], { findings: [finding('broken')] })
  assert.equal(ill.code, 1)
  assert.deepEqual(JSON.parse(ill.out), { healthy: false, findings: [finding('broken')] })
})

test('on a terminal a bar shows the share, the rate and the time left', () => {
  const stream = capture({ columns: 100, rows: 20 })
  let now = 0
  const progress = new StoreProgress(stream, () => now)
  progress.report({ type: 'plan', files: 2, bytes: 10_000_000, done: 0 })
  now = 1000
  progress.report({ type: 'bytes', count: 2_500_000 })
  assert.match(
    stream.text(),
    /█{6}░{18} {2}25 % {2}2\.5 MB of 10\.0 MB {2}2\.5 MB\/s {2}0:03 left$/,
  )
  progress.end()
  assert.ok(stream.text().endsWith('\r\u001B[2K'))
})
