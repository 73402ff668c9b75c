/** What comes over a bare connection: offers of other protocols, methods that nobody takes, bodies that nobody wants. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { FakeRuns } from '../support/fake-runs.ts'
import { listen } from '../support/http-server.ts'

interface Reply {
  readonly status: number
  readonly head: string
  readonly body: Record<string, unknown>
}

/** A connection on which a test says every byte itself. */
class Wire {
  readonly #socket: Socket
  #text = ''

  constructor(t: TestContext, url: string) {
    this.#socket = connect(Number(new URL(url).port), '127.0.0.1')
    this.#socket.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
    t.after(() => this.#socket.destroy())
  }

  async send(...lines: readonly string[]): Promise<void> {
    await this.write(`${lines.join('\r\n')}\r\n\r\n`)
  }

  /** @throws Error when the connection was reset. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#socket.write(text, (error) => (error ? reject(error) : resolve())),
    )
  }

  async hear(): Promise<Reply> {
    for (;;) {
      const [, head, length] = /^(.*?content-length: (\d+).*?\r\n\r\n)/is.exec(this.#text) ?? []
      const size = (head?.length ?? 0) + Number(length)
      if (head !== undefined && this.#text.length >= size) {
        const body = this.#text.slice(head.length, size)
        this.#text = this.#text.slice(size)
        return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) }
      }
      await once(this.#socket, 'data')
    }
  }

  async ended(): Promise<void> {
    if (!this.#socket.readableEnded) await once(this.#socket, 'end')
  }
}

const open = async (t: TestContext) => {
  const { url } = await listen(t, new FakeRuns())
  return new Wire(t, url)
}

const H2C = [
  'host: a',
  'connection: Upgrade, HTTP2-Settings',
  'upgrade: h2c',
  'http2-settings: AAMAAABkAARAAAAAAAIAAAAA',
]
const RUN = JSON.stringify({ input: 'What is 6 × 7?' })
const RUN_HEADERS = [
  'content-type: application/json',
  `content-length: ${Buffer.byteLength(RUN)}`,
] as const

test('an offer of HTTP/2 is passed over, and the request answered with its body', async (t) => {
  const wire = await open(t)
  await wire.send('POST /v1/runs HTTP/1.1', ...H2C, ...RUN_HEADERS)
  await wire.write(RUN)
  const first = await wire.hear()
  assert.deepEqual([first.status, first.body['object']], [200, 'run'])
  await wire.write(
    `POST /v1/runs HTTP/1.1\r\n${[...H2C, ...RUN_HEADERS].join('\r\n')}\r\n\r\n${RUN}`,
  )
  assert.equal((await wire.hear()).body['object'], 'run')
  await wire.send(
    'GET /healthz HTTP/1.1',
    'host: a',
    'connection: upgrade',
    'upgrade: unheard-of/1',
  )
  assert.equal((await wire.hear()).status, 200)
})

test('a connection may be offered HTTP/2 with every request', async (t) => {
  const wire = await open(t)
  const warnings: Error[] = []
  const warn = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  for (let times = 0; times < 15; times++) {
    await wire.send('GET /healthz HTTP/1.1', ...H2C)
    assert.equal((await wire.hear()).status, 200)
  }
  assert.deepEqual(warnings, [])
})

test('a WebSocket where there is none is refused before it is opened', async (t) => {
  const wire = await open(t)
  const handshake = ['sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==']
  const upgrade = ['host: a', 'connection: Upgrade', 'upgrade: websocket', ...handshake]
  await wire.send('GET /v1/models HTTP/1.1', ...upgrade)
  const { status, body } = await wire.hear()
  assert.deepEqual([status, body['detail']], [400, 'There is no WebSocket here.'])
  await wire.ended()
})

test('a server that is no proxy says so to CONNECT', async (t) => {
  const wire = await open(t)
  await wire.send('CONNECT example.com:443 HTTP/1.1', 'host: example.com:443')
  assert.equal((await wire.hear()).status, 405)
  await wire.ended()
})

test('a wrong method or path is told whatever is wrong with the body', async (t) => {
  const wire = await open(t)
  const cases = [
    ['QUERY /v1/models', 405],
    ['QUERY /nowhere', 404],
    ['PUT /v1/models', 405],
    ['POST /nowhere', 404],
  ] as const
  for (const [line, status] of cases) {
    const typed = line.startsWith('QUERY') ? [] : ['content-type: application/json']
    await wire.send(`${line} HTTP/1.1`, 'host: a', ...typed, 'content-length: 1')
    await wire.write('{')
    assert.equal((await wire.hear()).status, status, line)
  }
})

const TOO_LARGE = 4 * 1_048_576

test('who sends a body that is too large can send it to its end, and is heard afterwards', async (t) => {
  const wire = await open(t)
  const head = ['host: a', 'content-type: application/json', `content-length: ${TOO_LARGE}`]
  await wire.send('POST /v1/feedback HTTP/1.1', ...head)
  assert.equal((await wire.hear()).status, 413)
  for (let sent = 0; sent < TOO_LARGE; sent += 65_536) await wire.write(' '.repeat(65_536))
  await wire.send('GET /healthz HTTP/1.1', 'host: a')
  assert.equal((await wire.hear()).status, 200)
})

test('a connection that was to be the last one ends when the refused body has come', async (t) => {
  const wire = await open(t)
  const head = ['host: a', 'content-type: application/json', `content-length: ${TOO_LARGE}`]
  await wire.send('POST /v1/feedback HTTP/1.1', ...head, 'connection: close')
  assert.equal((await wire.hear()).status, 413)
  for (let sent = 0; sent < TOO_LARGE; sent += 65_536) await wire.write(' '.repeat(65_536))
  await wire.ended()
})

test('a request has five minutes to arrive', async (t) => {
  const { app } = await listen(t)
  assert.equal(app.server.requestTimeout, 300_000)
})
