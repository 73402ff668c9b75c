/** RFC 6455 from the wire up: frames that a client library would never send, against `/v1/ws`. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { FakeRuns } from '../support/fake-runs.ts'
import { listen, type TestServer } from '../support/http-server.ts'

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

interface FrameOptions {
  readonly fin?: boolean
  /** The three reserved bits, 0 to 7. */
  readonly reserved?: number
  readonly masked?: boolean
}

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const

const frame = (
  opcode: number,
  payload: string | Buffer = '',
  { fin = true, reserved = 0, masked = true }: FrameOptions = {},
): Buffer => {
  const body = Buffer.from(payload as string)
  const bit = masked ? 0x80 : 0
  const length =
    body.length < 126
      ? Buffer.from([bit | body.length])
      : Buffer.from([bit | 126, body.length >> 8, body.length & 255])
  const mask = masked ? randomBytes(4) : Buffer.alloc(0)
  const written = masked ? body.map((byte, at) => byte ^ mask[at % 4]!) : body
  const first = Buffer.from([(fin ? 0x80 : 0) | (reserved << 4) | opcode])
  return Buffer.concat([first, length, mask, written])
}

const readFrame = (bytes: Buffer): { frame: Frame; size: number } | undefined => {
  if (bytes.length < 2) return undefined
  assert.equal(bytes[1]! & 0x80, 0, 'a server masks nothing')
  const short = bytes[1]! & 0x7f
  const head = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < head) return undefined
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  if (bytes.length < head + length) return undefined
  const payload = bytes.subarray(head, head + length)
  return { frame: { opcode: bytes[0]! & 15, payload }, size: head + length }
}

class Peer {
  readonly #socket: Socket
  readonly #frames: Frame[] = []
  #bytes = Buffer.alloc(0)
  #isOpen = true
  #wake = (): void => undefined

  constructor(socket: Socket, rest: Buffer) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isOpen = false
      this.#wake()
    })
    this.#take(rest)
  }

  send(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames))
  }

  /** Byte by byte, each a segment of its own. */
  async trickle(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      this.#socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The next frame; undefined when the connection ends before there is one. */
  async hear(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && this.#isOpen) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#frames.shift()
  }

  async hearText(): Promise<Record<string, unknown>> {
    const heard = await this.hear()
    assert.equal(heard?.opcode, TEXT)
    return JSON.parse(heard.payload.toString()) as Record<string, unknown>
  }

  /** Code of the close frame, behind which the connection ends; 1005 without a code, undefined without a frame. */
  async closeCode(): Promise<number | undefined> {
    for (let heard = await this.hear(); heard !== undefined; heard = await this.hear()) {
      if (heard.opcode !== CLOSE) continue
      this.send(frame(CLOSE, heard.payload))
      assert.equal(await this.hear(), undefined)
      return heard.payload.length === 0 ? 1005 : heard.payload.readUInt16BE(0)
    }
    return undefined
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (let read = readFrame(this.#bytes); read; read = readFrame(this.#bytes)) {
      this.#frames.push(read.frame)
      this.#bytes = this.#bytes.subarray(read.size)
    }
    this.#wake()
  }
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPTED = createHash('sha1')
  .update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64')

const shake = async (
  t: TestContext,
  { url }: TestServer,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ socket: Socket; head: string; rest: Buffer }> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  const lines = Object.entries({
    host: 'localhost',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': KEY,
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  socket.write(`GET /v1/ws HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  let bytes = Buffer.alloc(0)
  while (!bytes.includes('\r\n\r\n')) {
    bytes = Buffer.concat([bytes, ((await once(socket, 'data')) as [Buffer])[0]])
  }
  const end = bytes.indexOf('\r\n\r\n')
  return { socket, head: bytes.subarray(0, end).toString(), rest: bytes.subarray(end + 4) }
}

const open = async (t: TestContext, server: TestServer): Promise<Peer> => {
  const { socket, head, rest } = await shake(t, server)
  assert.match(head, /^HTTP\/1\.1 101 /)
  return new Peer(socket, rest)
}

const ping = JSON.stringify({ type: 'ping', stream_id: 'é' })
const said = JSON.stringify({ type: 'ping', stream_id: 'a' })
const pong = { type: 'pong', stream_id: 'a' }

test('the handshake proves that the key was read, and refuses other versions', async (t) => {
  const server = await listen(t)
  const { head } = await shake(t, server, { 'sec-websocket-protocol': 'other, whetstone.v1' })
  assert.ok(head.includes(ACCEPTED))
  assert.match(head, /sec-websocket-protocol: whetstone\.v1/i)
  assert.doesNotMatch(head, /sec-websocket-extensions/i)
  const wrong = await shake(t, server, { 'sec-websocket-version': '7' })
  assert.match(wrong.head, /^HTTP\/1\.1 4\d\d /)
})

test('a message may come in fragments, with control frames between them, byte by byte', async (t) => {
  const peer = await open(t, await listen(t))
  peer.send(frame(TEXT, said.slice(0, 5), { fin: false }))
  peer.send(frame(PING, 'between'), frame(CONTINUATION, said.slice(5, 9), { fin: false }))
  assert.deepEqual(await peer.hear(), { opcode: PONG, payload: Buffer.from('between') })
  peer.send(frame(PONG, 'unasked for'), frame(CONTINUATION, '', { fin: false }))
  peer.send(frame(CONTINUATION, said.slice(9)))
  assert.deepEqual(await peer.hearText(), pong)
  await peer.trickle(frame(TEXT, said))
  assert.deepEqual(await peer.hearText(), pong)
})

test('a letter may be split between fragments', async (t) => {
  const peer = await open(t, await listen(t))
  const bytes = Buffer.from(ping)
  const within = bytes.indexOf('é') + 1
  peer.send(frame(TEXT, bytes.subarray(0, within), { fin: false }))
  peer.send(frame(CONTINUATION, bytes.subarray(within)))
  const { type } = await peer.hearText()
  assert.equal(type, 'message.refused', 'of the stream’s name, not of the text')
})

test('pings are answered with what they hold, 125 bytes at most, in order', async (t) => {
  const peer = await open(t, await listen(t))
  for (const payload of [Buffer.alloc(0), Buffer.from([0, 255, 128]), Buffer.alloc(125, 'x')]) {
    peer.send(frame(PING, payload))
    assert.deepEqual(await peer.hear(), { opcode: PONG, payload })
  }
  peer.send(...Array.from({ length: 10 }, (_, at) => frame(PING, String(at))))
  for (let at = 0; at < 10; at++) assert.equal((await peer.hear())?.payload.toString(), String(at))
  peer.send(frame(TEXT, said))
  assert.deepEqual(await peer.hearText(), pong)
})

test('a flood of pings costs the flooder its connection, and nobody else theirs', async (t) => {
  const server = await listen(t)
  const [flooder, other] = [await open(t, server), await open(t, server)]
  flooder.send(...Array.from({ length: 5000 }, (_, at) => frame(PING, String(at))))
  assert.equal(await flooder.closeCode(), undefined)
  other.send(frame(TEXT, said))
  assert.deepEqual(await other.hearText(), pong)
})

test('a binary message is read like text, an empty one is no JSON', async (t) => {
  const peer = await open(t, await listen(t))
  peer.send(frame(BINARY, said))
  assert.deepEqual(await peer.hearText(), pong)
  peer.send(frame(TEXT))
  assert.equal((await peer.hearText())['type'], 'error')
})

test('closing is answered with the same code, and nothing comes behind it', async (t) => {
  const server = await listen(t)
  for (const code of [1000, 1001, 1003, 1011, 3000, 4999]) {
    const peer = await open(t, server)
    const payload = Buffer.from([code >> 8, code & 255])
    peer.send(frame(CLOSE, payload), frame(TEXT, said))
    assert.equal(await peer.closeCode(), code)
  }
  const silent = await open(t, server)
  silent.send(frame(CLOSE))
  assert.equal(await silent.closeCode(), 1005)
})

const invalid = Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80])
const closing = (code: number, reason: string | Buffer = ''): Buffer =>
  frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]))

const VIOLATIONS: Readonly<Record<string, readonly [number, ...Buffer[]]>> = {
  'a frame without a mask': [1002, frame(TEXT, said, { masked: false })],
  'a control frame of 126 bytes': [1002, frame(PING, 'x'.repeat(126))],
  'a fragmented ping': [1002, frame(PING, 'x', { fin: false })],
  'a continuation of nothing': [1002, frame(CONTINUATION, said)],
  'a new message within a fragmented one': [
    1002,
    frame(TEXT, 'a', { fin: false }),
    frame(TEXT, said),
  ],
  'a close frame of one byte': [1002, frame(CLOSE, Buffer.from([3]))],
  'text that is not UTF-8': [1007, frame(TEXT, invalid)],
  'fragments that are not UTF-8': [
    1007,
    frame(TEXT, invalid.subarray(0, 3), { fin: false }),
    frame(CONTINUATION, invalid.subarray(3)),
  ],
  'a close reason that is not UTF-8': [1007, closing(1000, invalid)],
  'a message that is too long': [1009, frame(TEXT, 'x'.repeat(2000))],
  'fragments that are too long together': [
    1009,
    ...Array.from({ length: 20 }, (_, at) =>
      frame(at === 0 ? TEXT : CONTINUATION, 'x'.repeat(120), { fin: false }),
    ),
  ],
}
const RESERVED = [1, 2, 4, 7].map((reserved) => frame(TEXT, said, { reserved }))
const OPCODES = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => frame(opcode, said))
const CODES = [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000].map((code) => closing(code))

test('what breaks the protocol ends the connection with the code for it, and the server lives', async (t) => {
  const server = await listen(t, new FakeRuns(), { limits: { messageBytes: 1000 } })
  const cases: [string, number, Buffer[]][] = [
    ...Object.entries(VIOLATIONS).map(([name, [code, ...frames]]): [string, number, Buffer[]] => [
      name,
      code,
      frames,
    ]),
    ...RESERVED.map((each): [string, number, Buffer[]] => ['a reserved bit', 1002, [each]]),
    ...OPCODES.map((each): [string, number, Buffer[]] => ['a reserved opcode', 1002, [each]]),
    ...CODES.map((each): [string, number, Buffer[]] => ['a code nobody may send', 1002, [each]]),
  ]
  for (const [name, code, frames] of cases) {
    const peer = await open(t, server)
    peer.send(...frames)
    assert.equal(await peer.closeCode(), code, name)
  }
  const { socket, rest } = await shake(t, server)
  const half = new Peer(socket, rest)
  half.send(frame(TEXT, said).subarray(0, 5))
  socket.end()
  assert.ok([undefined, 1006].includes(await half.closeCode()))
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})
