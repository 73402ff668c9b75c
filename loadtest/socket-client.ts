/** Many runs on one WebSocket. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { readEvent } from './event-head.ts'
import { RunWatch, type RunTiming, type StreamEvent } from './run-watch.ts'

type Frame = StreamEvent & {
  readonly stream_id?: string
  readonly status?: number
  readonly error?: { readonly message?: string }
}

/** The server puts it behind all else. */
const STREAM = /"stream_id":"([^"]*)"\}$/

interface OpenRun {
  readonly watch: RunWatch
  readonly finish: () => void
}

export class SocketClient {
  readonly #socket: WebSocket
  readonly #open = new Map<string, OpenRun>()
  #count = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#read(data.toString()))
    socket.on('close', () => this.#failAll('the socket was closed'))
    socket.on('error', (error) => this.#failAll(error.message))
  }

  /** @throws Error when the socket cannot be opened, or the signal aborts first. */
  static async connect(url: URL, signal: AbortSignal): Promise<SocketClient> {
    const address = new URL('/v1/ws', url)
    address.protocol = 'ws:'
    const socket = new WebSocket(address, 'whetstone.v1')
    try {
      await once(socket, 'open', { signal })
    } catch (thrown) {
      socket.on('error', () => undefined)
      socket.terminate()
      throw thrown
    }
    return new SocketClient(socket)
  }

  /** Starts a run and follows it to the end. Never rejects: what went wrong is in the timing. */
  async run(run: object, signal: AbortSignal): Promise<RunTiming> {
    const id = `load-${this.#count++}`
    const watch = new RunWatch()
    const { promise, finish } = createLatch()
    const onAbort = (): void => {
      watch.fail('out of time')
      finish()
    }
    this.#open.set(id, { watch, finish })
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    else this.#send({ type: 'run.create', stream_id: id, run }, watch, finish)
    await promise
    signal.removeEventListener('abort', onAbort)
    this.#open.delete(id)
    return watch.timing()
  }

  close(): void {
    this.#socket.terminate()
  }

  #send(message: object, watch: RunWatch, finish: () => void): void {
    this.#socket.send(JSON.stringify(message), (error) => {
      if (error == null) return
      watch.fail(error.message)
      finish()
    })
  }

  #read(text: string): void {
    try {
      const frame = readEvent<Frame>(text)
      const id = frame.stream_id ?? STREAM.exec(text)?.[1]
      this.#see(frame, id)
    } catch {
      this.#failAll('a frame was not JSON')
    }
  }

  #see(frame: Frame, id: string | undefined): void {
    const run = id === undefined ? undefined : this.#open.get(id)
    if (run === undefined) return
    if (frame.type === 'error') {
      run.watch.fail(`status ${frame.status}: ${frame.error?.message ?? 'no message'}`)
      return run.finish()
    }
    run.watch.see(frame)
    if (run.watch.hasEnded) run.finish()
  }

  #failAll(reason: string): void {
    for (const { watch, finish } of this.#open.values()) {
      watch.fail(reason)
      finish()
    }
  }
}

const createLatch = (): { promise: Promise<void>; finish: () => void } => {
  let finish = (): void => undefined
  const promise = new Promise<void>((resolve) => (finish = resolve))
  return { promise, finish }
}
