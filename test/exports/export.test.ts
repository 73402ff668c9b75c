import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer as createTcpServer, connect, type AddressInfo } from 'node:net'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { runCommand, type CommandDependencies } from '../../src/cli/index.ts'
import { capture, input } from '../cli/fixtures.ts'
import { serve } from '../experiments/server.ts'
import { temporaryFolder } from '../runs/support.ts'

const fill = async (
  { call }: Pick<Awaited<ReturnType<typeof serve>>, 'call'>,
  count: number,
): Promise<string[]> => {
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    const { body } = await call('POST', '/v1/runs', {
      input: `What is the sum of case ${index}?`,
      strategy: 'best-of-n',
      options: { n: 2 },
      metadata: { consent: index % 2 === 0 },
    })
    ids.push(String(body['id']))
  }
  return ids
}

const exportTo = async (
  opened: Awaited<ReturnType<typeof serve>> | undefined,
  argv: string[],
  signal = new AbortController().signal,
  stdout = capture(),
) => {
  const stderr = capture()
  const io = { stdin: input(''), stdout, stderr, environment: {}, signal }
  const deps = {
    openRuns: async () => ({ ...opened!, close: async () => undefined }),
  } as unknown as CommandDependencies
  const code = await runCommand(['export', ...argv], io, deps)
  return { code, out: stdout.text(), err: stderr.text() }
}

const parse = (text: string): { run_id: string; cursor: string; consent: boolean }[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { run_id: string; cursor: string; consent: boolean })

test('runs leave over HTTP as lines, filtered, and only those of the caller', async (t) => {
  const { call } = await serve(t)
  const ids = await fill({ call }, 5)
  const { status, headers, body } = await call('GET', '/v1/exports?format=sft')
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'application/jsonl; charset=utf-8')
  const text = (body as { text: string }).text
  assert.deepEqual(
    parse(text).map(({ run_id }) => run_id),
    ids,
  )
  const consented = await call('GET', '/v1/exports?format=sft&consented_only=true')
  assert.equal(parse((consented.body as { text: string }).text).length, 3)
  const none = await call('GET', '/v1/exports?format=sft&where=auto.calls%3E0&where=auto.calls%3C1')
  assert.equal((none.body as { text: string }).text, '')
  const bad = await call('GET', '/v1/exports?format=csv')
  assert.equal(bad.status, 400)
  assert.match(JSON.stringify(bad.body), /\/format must be one of/)
  assert.equal((await call('GET', '/v1/exports?format=sft&where=x')).status, 400)
})

test('the command writes a whole file, from the data of this machine', async (t) => {
  const opened = await serve(t)
  await fill(opened, 3)
  const out = path.join(temporaryFolder(), 'runs.jsonl')
  const { code, err } = await exportTo(opened, ['--format', 'trees', '--out', out])
  assert.equal(code, 0, err)
  assert.match(err, /^3 records in /)
  assert.equal(parse(readFileSync(out, 'utf8')).length, 3)
  assert.deepEqual(readdirSync(path.dirname(out)), ['runs.jsonl'])
})

test('two exports to one file at once leave it whole, by the one that ended last', async (t) => {
  const opened = await serve(t)
  await fill(opened, 3)
  const out = path.join(temporaryFolder(), 'runs.jsonl')
  const whole = await exportTo(opened, ['--format', 'trees'])
  const both = await Promise.all(
    Array.from({ length: 2 }, () => exportTo(opened, ['--format', 'trees', '--out', out])),
  )
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
    both.map(({ err }) => err).join(''),
  )
  assert.equal(readFileSync(out, 'utf8'), whole.out)
  assert.deepEqual(readdirSync(path.dirname(out)), ['runs.jsonl'])
})

test('a command that is stopped or cannot write leaves no file', async (t) => {
  const opened = await serve(t)
  await fill(opened, 2)
  const out = path.join(temporaryFolder(), 'runs.jsonl')
  const stopped = AbortSignal.abort()
  assert.equal((await exportTo(opened, ['--format', 'sft', '--out', out], stopped)).code, 130)
  assert.deepEqual(readdirSync(path.dirname(out)), [])
  const nowhere = await exportTo(opened, ['--format', 'sft', '--out', '/nowhere/at/all'])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.err, /--out \/nowhere\/at\/all cannot be written/)
  const wrong = await exportTo(opened, ['--format', 'csv'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /--format must be one of/)
  for (const [flag, value, expected] of [
    ['where', 'x', /--where must be such as correct=true/],
    ['from', '2016-12-31T23:59:60Z', /--from must be such as/],
    ['minimum-margin', '-1', /--minimum-margin must be >= 0/],
  ] as const) {
    const refused = await exportTo(opened, ['--format', 'sft', `--${flag}=${value}`])
    assert.equal(refused.code, 2)
    assert.match(refused.err, expected)
  }
})

/** An output that takes one record and fails at the next. */
const failing = (code: string) => {
  const stdout = capture()
  const write = stdout._write.bind(stdout)
  let writes = 0
  stdout._write = (chunk, encoding, done) => {
    writes += 1
    if (writes === 1) write(chunk, encoding, done)
    else done(Object.assign(new Error('no space left'), { code }))
  }
  return stdout
}

test('an output that fails is told, unless it is a reader that has enough', async (t) => {
  const opened = await serve(t)
  await fill(opened, 3)
  const { signal } = new AbortController()
  const full = await exportTo(opened, ['--format', 'sft'], signal, failing('ENOSPC'))
  assert.deepEqual(
    [full.code, full.err],
    [1, 'whetstone: The output cannot be written: no space left\n'],
  )
  const left = await exportTo(opened, ['--format', 'sft'], signal, failing('EPIPE'))
  assert.deepEqual([left.code, left.err], [0, ''])
})

/** Cuts every connection after so many bytes from the server. */
const cutting = async (t: TestContext, port: number, bytes: number) => {
  let connections = 0
  const proxy = createTcpServer((client) => {
    connections += 1
    const server = connect(port, '127.0.0.1')
    let sent = 0
    client.pipe(server)
    server.on('data', (data) => {
      client.write(data.subarray(0, bytes - sent))
      sent += data.length
      if (sent >= bytes) client.destroySoon()
    })
    server.on('error', () => client.destroy())
    client.on('error', () => server.destroy())
    client.on('close', () => server.destroy())
    server.on('end', () => client.end())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  t.after(() => proxy.close())
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    connections: () => connections,
  }
}

test('an export over a connection that keeps breaking has every record once', async (t) => {
  const opened = await serve(t)
  const ids = await fill(opened, 12)
  await opened.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = opened.app.server.address() as AddressInfo
  const { url, connections } = await cutting(t, port, 4000)
  const { code, out, err } = await exportTo(undefined, ['--format', 'sft', '--url', url])
  assert.equal(code, 0, err)
  assert.deepEqual(
    parse(out).map(({ run_id }) => run_id),
    ids,
  )
  assert.ok(connections() > 2, `${connections()} connections`)
})

test('a client that leaves ends the reading', async (t) => {
  const opened = await serve(t)
  await fill(opened, 1)
  let returned = false
  const endless = {
    open: () =>
      (async function* () {
        try {
          for (;;) yield { text: 'x'.repeat(10_000) }
        } finally {
          returned = true
        }
      })(),
  }
  Object.assign(opened.exports, endless)
  await opened.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = opened.app.server.address() as AddressInfo
  const leave = new AbortController()
  const reply = await fetch(`http://127.0.0.1:${port}/v1/exports?format=sft`, {
    signal: leave.signal,
  })
  await reply.body!.getReader().read()
  leave.abort()
  while (!returned) await new Promise((resolve) => setImmediate(resolve))
})
