import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import type { RefineError } from '../../../src/core/errors.ts'
import type { ModelStore, StoreEvent } from '../../../src/core/model-store.ts'
import { InstalledModels } from '../../../src/models/hub/installed-models.ts'
import { createModelStore, type ModelStoreOptions } from '../../../src/models/model-store.ts'
import { COMMIT, REPOSITORY, sha256, startHub, type Hub } from './hub-server.ts'

const WEIGHTS = 'model.safetensors'
const small = () => ({
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'tokenizer.json': Buffer.from('{}'),
  'README.md': Buffer.from('not part of the model'),
  [WEIGHTS]: randomBytes(10_000),
})

interface Bench {
  readonly hub: Hub
  readonly store: ModelStore
  readonly folder: string
  readonly events: StoreEvent[]
  readonly pauses: number[]
  readonly pull: (reference?: string, signal?: AbortSignal) => ReturnType<ModelStore['pull']>
  readonly another: (options: Partial<ModelStoreOptions>) => ModelStore
}

const never = new AbortController().signal

const open = async (
  t: TestContext,
  files: Record<string, Buffer> = small(),
  options: Partial<ModelStoreOptions> & { token?: string; offline?: boolean } = {},
): Promise<Bench> => {
  const hub = await startHub(t, files)
  const folder = mkdtempSync(path.join(tmpdir(), 'models-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const pauses: number[] = []
  const { token, offline = false, ...rest } = options
  const basis: ModelStoreOptions = {
    folder,
    hub: {
      endpoint: hub.url,
      offline,
      ...(token !== undefined && { token }),
      wait: async (milliseconds) => void pauses.push(milliseconds),
    },
    catalog: [],
    checks: { settings: async () => undefined, load: async () => undefined },
  }
  const store = createModelStore({ ...basis, ...rest })
  const events: StoreEvent[] = []
  const pull = (reference = REPOSITORY, signal = never) =>
    store.pull(
      { reference },
      {
        signal,
        report: (event) => {
          events.push(event)
          if (event.type === 'bytes') hub.breakOff()
        },
      },
    )
  const another = (more: Partial<ModelStoreOptions>) => createModelStore({ ...basis, ...more })
  return { hub, store, folder, events, pauses, pull, another }
}

const refused = async (promise: Promise<unknown>, code: string, message: RegExp): Promise<void> => {
  await assert.rejects(promise, (error: RefineError) => {
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

const nothingInstalled = ({ store, folder }: Bench): void => {
  assert.deepEqual(store.list(), [])
  assert.deepEqual(
    readdirSync(folder).filter((name) => name !== '.partial'),
    [],
  )
}

test('a pull installs what belongs to the model, with its sums and where it came from', async (t) => {
  const bench = await open(t)
  const model = await bench.pull(`${REPOSITORY}@main`)
  assert.equal(model.id, REPOSITORY)
  assert.deepEqual(readdirSync(model.folder).toSorted(), [
    'config.json',
    WEIGHTS,
    'tokenizer.json',
    'whetstone.json',
  ])
  assert.deepEqual(readFileSync(path.join(model.folder, WEIGHTS)), bench.hub.files.get(WEIGHTS))
  assert.deepEqual(model.origin, {
    kind: 'hub',
    endpoint: bench.hub.url,
    repository: REPOSITORY,
    revision: 'main',
    commit: COMMIT,
  })
  const weights = model.files.find(({ path: name }) => name === WEIGHTS)
  assert.equal(weights?.sha256, sha256(bench.hub.files.get(WEIGHTS)!))
  assert.deepEqual(bench.store.list(), [model])
  await new InstalledModels(bench.folder).verify(model)
})

test('progress adds up to what was announced', async (t) => {
  const bench = await open(t)
  bench.hub.cuts.push(3, 0, 7)
  await bench.pull()
  const plan = bench.events.find((event) => event.type === 'plan')!
  const bytes = bench.events.reduce(
    (sum, event) => sum + (event.type === 'bytes' ? event.count : 0),
    0,
  )
  assert.equal(plan.done + bytes, plan.bytes)
  assert.equal(bench.events.filter(({ type }) => type === 'file').length, plan.files)
})

test('a second pull of the same commit fetches nothing', async (t) => {
  const bench = await open(t)
  await bench.pull()
  bench.hub.requests.length = 0
  await bench.pull()
  assert.deepEqual(
    bench.hub.requests.map(({ path: name }) => name.includes('/api/')),
    [true],
  )
})

test('a new commit replaces the model as a whole', async (t) => {
  const bench = await open(t)
  await bench.pull()
  bench.hub.commit = 'b'.repeat(40)
  bench.hub.files.set(WEIGHTS, randomBytes(5000))
  const model = await bench.pull()
  assert.deepEqual(readFileSync(path.join(model.folder, WEIGHTS)), bench.hub.files.get(WEIGHTS))
  assert.equal(bench.store.list().length, 1)
})

test('a connection cut at any byte is resumed there, and every byte is fetched once', async (t) => {
  for (const cut of [0, 1, 2, 511, 4096, 9998, 9999]) {
    const bench = await open(t, {
      'tokenizer.json': Buffer.from('{}'),
      [WEIGHTS]: randomBytes(10_000),
    })
    bench.hub.cuts.push(cut)
    const model = await bench.pull()
    assert.deepEqual(readFileSync(path.join(model.folder, WEIGHTS)), bench.hub.files.get(WEIGHTS))
    const ranges = bench.hub.requests
      .filter(({ host }) => host === 'storage')
      .map(({ range }) => range)
    assert.deepEqual(ranges, [undefined, cut === 0 ? undefined : `bytes=${cut}-`], `cut at ${cut}`)
  }
})

test('a connection that is cut again and again is given up only when it brings nothing', async (t) => {
  const patient = await open(t, {
    'tokenizer.json': Buffer.from('{}'),
    [WEIGHTS]: randomBytes(1000),
  })
  patient.hub.cuts.push(...Array.from({ length: 40 }, () => 20))
  await patient.pull()
  const hopeless = await open(t, { [WEIGHTS]: randomBytes(1000) })
  hopeless.hub.cuts.push(...Array.from({ length: 50 }, () => 0))
  await refused(hopeless.pull(), 'upstream_unavailable', /pull again to go on/)
  assert.equal(hopeless.pauses.length, 5)
  nothingInstalled(hopeless)
})

test('a pull that was cancelled goes on where it stopped', async (t) => {
  const bench = await open(t, { [WEIGHTS]: randomBytes(200_000) })
  const controller = new AbortController()
  bench.hub.intercept = (_request, response, host) => {
    if (host === 'hub') return false
    response.writeHead(200, {
      etag: `"${sha256(bench.hub.files.get(WEIGHTS)!)}"`,
      'content-length': 200_000,
    })
    response.write(bench.hub.files.get(WEIGHTS)!.subarray(0, 50_000))
    return true
  }
  const reason = new Error('stopped')
  const call = bench.store.pull(
    { reference: REPOSITORY },
    {
      signal: controller.signal,
      report: ({ type }) => type === 'bytes' && controller.abort(reason),
    },
  )
  await assert.rejects(call, reason)
  nothingInstalled(bench)
  bench.hub.intercept = () => false
  bench.hub.requests.length = 0
  await bench.pull()
  const [resumed] = bench.hub.requests.filter(({ host }) => host === 'storage')
  assert.match(resumed!.range!, /^bytes=[1-9]\d*-$/)
  const plan = bench.events.find((event) => event.type === 'plan')!
  assert.equal(`bytes=${plan.done}-`, resumed!.range)
})

test('a file that has changed since is fetched anew', async (t) => {
  const bench = await open(t, { [WEIGHTS]: randomBytes(3000) })
  bench.hub.etag = '"first"'
  bench.hub.cuts.push(1000, ...Array.from({ length: 9 }, () => 0))
  await refused(bench.pull(), 'upstream_unavailable', /broke off|ended/)
  bench.hub.etag = '"second"'
  bench.hub.cuts.length = 0
  const model = await bench.pull()
  assert.deepEqual(readFileSync(path.join(model.folder, WEIGHTS)), bench.hub.files.get(WEIGHTS))
})

test('an unfinished file that was damaged on the disk is fetched anew', async (t) => {
  const bench = await open(t, { [WEIGHTS]: randomBytes(3000) })
  bench.hub.cuts.push(1000, ...Array.from({ length: 9 }, () => 0))
  await refused(bench.pull(), 'upstream_unavailable', /pull again/)
  const partial = path.join(bench.folder, '.partial', 'owner--small', `${WEIGHTS}.partial`)
  writeFileSync(partial, readFileSync(partial).fill(0))
  bench.hub.cuts.length = 0
  const model = await bench.pull()
  assert.deepEqual(readFileSync(path.join(model.folder, WEIGHTS)), bench.hub.files.get(WEIGHTS))
})

for (const [name, what] of [
  [WEIGHTS, /SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}/],
  ['config.json', /Git SHA-1 [0-9a-f]{40}, expected [0-9a-f]{40}/],
] as const) {
  test(`a wrong sum of ${name} is told, and nothing of it is kept`, async (t) => {
    const bench = await open(t)
    bench.hub.intercept = (request, response, host) => {
      if (!request.url!.includes(name) || (name === WEIGHTS && host === 'hub')) return false
      response.end(Buffer.alloc(bench.hub.files.get(name)!.length, 1))
      return true
    }
    await refused(bench.pull(), 'model_failed', what)
    nothingInstalled(bench)
    const left = readdirSync(path.join(bench.folder, '.partial'), { recursive: true }).map(String)
    assert.deepEqual(
      left.filter((file) => file.includes(name)),
      [],
    )
  })
}

test('a file longer than listed is refused', async (t) => {
  const bench = await open(t)
  bench.hub.intercept = (_request, response, host) => {
    if (host === 'hub') return false
    response.end(Buffer.alloc(10_001))
    return true
  }
  await refused(bench.pull(), 'upstream_rejected', /longer than the 10000 bytes/)
})

test('the token goes to the hub alone, not to where it redirects', async (t) => {
  const bench = await open(t, small(), { token: 'hf_secret' })
  await bench.pull()
  const tokens = (host: string) =>
    new Set(
      bench.hub.requests.filter((request) => request.host === host).map((r) => r.authorization),
    )
  assert.deepEqual([...tokens('hub')], ['Bearer hf_secret'])
  assert.deepEqual([...tokens('storage')], [undefined])
})

const refusals: readonly [number, Record<string, string>, string | undefined, string, RegExp][] = [
  [
    401,
    { 'x-error-code': 'GatedRepo' },
    undefined,
    'unauthenticated',
    /gated: accept its terms.*HF_TOKEN/,
  ],
  [403, { 'x-error-code': 'GatedRepo' }, 'hf_x', 'forbidden', /gated/],
  [
    401,
    { 'x-error-code': 'RepoNotFound' },
    undefined,
    'not_found',
    /no such model, or it is private/,
  ],
  [401, {}, 'hf_x', 'unauthenticated', /HF_TOKEN was not accepted/],
  [404, { 'x-error-code': 'RevisionNotFound' }, undefined, 'not_found', /no such revision/],
  [404, {}, undefined, 'not_found', /no such model/],
  [418, {}, undefined, 'upstream_rejected', /status 418/],
]
for (const [status, headers, token, code, message] of refusals) {
  test(`status ${status} ${headers['x-error-code'] ?? ''} is told as ${code} and not tried again`, async (t) => {
    const bench = await open(t, small(), token === undefined ? {} : { token })
    bench.hub.intercept = (_request, response) => {
      response.writeHead(status, headers).end()
      return true
    }
    await refused(bench.pull(), code, message)
    assert.equal(bench.hub.requests.length, 1)
    nothingInstalled(bench)
  })
}

test('a rate limit is waited for as long as the hub says', async (t) => {
  const bench = await open(t)
  let left = 2
  bench.hub.intercept = (_request, response) => {
    if (left-- <= 0) return false
    response.writeHead(429, { 'retry-after': '7' }).end()
    return true
  }
  await bench.pull()
  assert.deepEqual(bench.pauses, [7000, 7000])
})

test('a rate limit without end is told with the seconds to wait', async (t) => {
  const bench = await open(t)
  bench.hub.intercept = (_request, response) => {
    response.writeHead(429, { 'retry-after': '3600' }).end()
    return true
  }
  await assert.rejects(bench.pull(), { code: 'rate_limited', retryAfter: 3600 })
  assert.equal(bench.hub.requests.length, 1)
})

test('failures of the hub are tried again with growing pauses, then told', async (t) => {
  const bench = await open(t)
  bench.hub.intercept = (_request, response) => {
    response.writeHead(503).end()
    return true
  }
  await refused(bench.pull(), 'upstream_unavailable', /status 503/)
  assert.deepEqual(bench.pauses, [500, 1000, 2000, 4000, 8000])
})

test('a hub that says nothing any more counts as lost', async (t) => {
  const bench = await open(t)
  bench.hub.intercept = () => true
  const store = bench.another({
    hub: { endpoint: bench.hub.url, offline: false, stallMs: 20, wait: () => Promise.resolve() },
  })
  const call = { signal: never, report: () => undefined }
  await refused(
    store.pull({ reference: REPOSITORY }, call),
    'upstream_timeout',
    /sent nothing for 0\.02/,
  )
})

test('an answer that is no listing is refused', async (t) => {
  for (const [answer, message] of [
    ['<html>', /expected JSON/],
    ['{"siblings":[]}', /\/sha is required/],
    [
      JSON.stringify({ sha: COMMIT, siblings: [{ rfilename: '../x', size: 1, blobId: COMMIT }] }),
      /"\.\.\/x" is refused/,
    ],
  ] as const) {
    const bench = await open(t)
    bench.hub.intercept = (_request, response) => Boolean(response.end(answer))
    await refused(bench.pull(), 'upstream_rejected', message)
  }
})

test('redirects that never end, or lead nowhere, are refused', async (t) => {
  for (const [location, message] of [
    ['/again', /more than 5 redirects/],
    ['file:///etc/passwd', /which is refused/],
  ] as const) {
    const bench = await open(t)
    bench.hub.intercept = (_request, response) =>
      Boolean(response.writeHead(302, { location }).end())
    await refused(bench.pull(), 'upstream_rejected', message)
  }
})

test('two pulls of one model at once: one works, the other says so', async (t) => {
  const bench = await open(t)
  const results = await Promise.allSettled([bench.pull(), bench.pull()])
  assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  const [model] = bench.store.list()
  await new InstalledModels(bench.folder).verify(model!)
})

test('the lock of a process that is gone does not count; that of a living one does', async (t) => {
  const bench = await open(t)
  const lock = path.join(bench.folder, '.partial', 'owner--small.lock')
  mkdirSync(path.dirname(lock))
  const hold = (host: string, pid: number) =>
    writeFileSync(lock, JSON.stringify({ host, pid, token: 'x' }))
  hold('elsewhere', 1)
  await refused(bench.pull(), 'conflict', /process 1 on elsewhere/)
  // No process has a number this large.
  hold(hostname(), 2 ** 30)
  await bench.pull()
  assert.ok(!existsSync(lock))
})

test('a folder of models that cannot be made ends a pull, and its flag is named', async (t) => {
  if (!existsSync('/proc/self')) return t.skip('this system has no /proc')
  const bench = await open(t, small(), { folder: '/proc/whetstone/models' })
  const message = /--models-dir: files in \/proc\/whetstone\/models cannot be written \(ENOENT/
  await refused(bench.pull(), 'invalid_request', message)
})

test('a disk that is too full is told before anything is fetched', async (t) => {
  const bench = await open(t, small(), { freeBytes: async () => 1000 })
  await refused(
    bench.pull(),
    'invalid_request',
    /--models-dir: 0\.0 MB are to be fetched, but only 0\.0 MB are free/,
  )
  assert.equal(bench.hub.requests.length, 1)
})

test(
  'a disk that is full in the middle is told as such, and not tried again as if the network had failed',
  { skip: !existsSync('/dev/full') && 'this system has no device that is always full' },
  async (t) => {
    const bench = await open(t)
    const work = path.join(bench.folder, '.partial', 'owner--small')
    mkdirSync(work, { recursive: true })
    writeFileSync(path.join(work, '.commit'), COMMIT)
    symlinkSync('/dev/full', path.join(work, `${WEIGHTS}.partial`))
    await refused(bench.pull(), 'invalid_request', /^--models-dir: .*ENOSPC/)
    assert.deepEqual(bench.pauses, [])
    nothingInstalled(bench)
  },
)

test('a model that cannot run is told before its weights are fetched', async (t) => {
  const checks = {
    settings: () => Promise.reject(new Error('unknown architecture')),
    load: async () => undefined,
  }
  const bench = await open(t, small(), { checks })
  await assert.rejects(bench.pull(), /unknown architecture/)
  assert.ok(bench.hub.requests.every(({ host }) => host === 'hub'))
  nothingInstalled(bench)
})

test('offline, an installed model is found and another is told with the command to run', async (t) => {
  const bench = await open(t)
  await bench.pull()
  bench.hub.requests.length = 0
  const offline = bench.another({ hub: { endpoint: bench.hub.url, offline: true } })
  const call = { signal: never, report: () => undefined }
  assert.equal((await offline.pull({ reference: REPOSITORY }, call)).id, REPOSITORY)
  await refused(
    offline.pull({ reference: 'owner/other' }, call),
    'unknown_model',
    /run "whetstone pull owner\/other"/,
  )
  await refused(
    offline.pull({ reference: `${REPOSITORY}@v2` }, call),
    'unknown_model',
    /installed at revision main .* only; v2 needs a network/,
  )
  assert.deepEqual(bench.hub.requests, [])
})

test('references that mean nothing are refused by part', async (t) => {
  const bench = await open(t)
  for (const [reference, message] of [
    ['../x', /not a model id/],
    ['a/b/c', /not a model id/],
    ['owner/x@', /revision: ""/],
    ['owner/x@a..b', /revision/],
    ['nobody', /neither in the catalogue .* nor a repository/],
  ] as const)
    await refused(bench.pull(reference), 'invalid_request', message)
})

test('an installed model is removed as a whole, and only once', async (t) => {
  const bench = await open(t)
  await bench.pull()
  await bench.store.remove(REPOSITORY)
  nothingInstalled(bench)
  await refused(bench.store.remove(REPOSITORY), 'unknown_model', /not installed/)
  await refused(bench.store.remove('..'), 'unknown_model', /not installed/)
})
