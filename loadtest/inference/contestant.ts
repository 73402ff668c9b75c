/** An engine that takes part, and what it is asked. Each runs in a process of its own: memory and threads stay apart. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const CONTESTANTS = [
  'whetstone',
  'stock-loop',
  'transformers.js',
  'node-llama-cpp',
  'llama-server',
] as const
export type ContestantName = (typeof CONTESTANTS)[number]

/** Everything that is prepared once for all: the same weights in the form each engine reads. */
export interface ModelFiles {
  /** Folder or GGUF file, as Whetstone reads it. */
  readonly checkpoint: string
  readonly weights: 'fp32' | 'int8'
  /** Folder with `onnx/model.onnx`; undefined where its peers cannot take part. */
  readonly onnx: string | undefined
  readonly gguf: string | undefined
  /** Where peers are installed, by package. */
  readonly packages: Readonly<Record<string, string>>
  /** The program of llama.cpp's server; undefined where it is not installed. */
  readonly llamaServer: string | undefined
}

export interface OpenRequest {
  readonly name: ContestantName
  readonly files: ModelFiles
  readonly threads: number
}

/** Decode `steps` tokens for each of `samples` answers to one prompt; that of the job before may have been kept. */
export interface Job {
  readonly prompt: readonly number[]
  readonly samples: number
  readonly steps: number
}

export interface Timing {
  /** What it took to compute the prompt, in this job or in the one it was kept from. */
  readonly prefillSeconds: number
  readonly decodeSeconds: number
  /** Tokens decoded in that time, all samples together. */
  readonly tokens: number
  /** Resident bytes of whatever computes, where that is another process than the contestant's own. */
  readonly memory?: number
}

export interface Contestant {
  /** How it holds the weights. */
  readonly precision: string
  run(job: Job): Promise<Timing>
  close(): Promise<void>
}

export type Request =
  | { readonly open: OpenRequest }
  | { readonly job: Job }
  | { readonly close: true }
export type Reply =
  | { readonly precision: string }
  | { readonly timing: Timing; readonly memory: number }
  | { readonly problem: string }

const PROCESS = new URL(
  `./contestant-process${path.extname(fileURLToPath(import.meta.url))}`,
  import.meta.url,
)

const CLOSE_MS = 1000

/** Whether two jobs have the same prompt. */
export const samePrompt = (left: readonly number[], right: readonly number[]): boolean =>
  left.length === right.length && left.every((token, index) => token === right[index])

/** The other end of a contestant's process. */
export class Remote {
  readonly name: ContestantName
  readonly precision: string
  /** Resident bytes after the last job. */
  memory = 0
  readonly #child: ChildProcess

  private constructor(name: ContestantName, precision: string, child: ChildProcess) {
    this.name = name
    this.precision = precision
    this.#child = child
  }

  /** @throws Error saying why it cannot take part. */
  static async open(request: OpenRequest): Promise<Remote> {
    const child = fork(PROCESS, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    child.stderr?.resume()
    try {
      const reply = await ask(child, { open: request })
      if (!('precision' in reply)) throw new Error('it answered out of turn')
      return new Remote(request.name, reply.precision, child)
    } catch (thrown) {
      child.kill('SIGKILL')
      throw thrown
    }
  }

  async run(job: Job): Promise<Timing> {
    const reply = await ask(this.#child, { job })
    if (!('timing' in reply)) throw new Error('it answered out of turn')
    this.memory = reply.memory
    return reply.timing
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS)
    this.#child.send({ close: true } satisfies Request)
    await exited
    clearTimeout(patience)
  }
}

const ask = (child: ChildProcess, request: Request): Promise<Exclude<Reply, { problem: string }>> =>
  new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      done()
    }
    const onMessage = (reply: Reply): void =>
      settle(() => ('problem' in reply ? reject(new Error(reply.problem)) : resolve(reply)))
    const onExit = (code: number | null, signal: string | null): void =>
      settle(() => reject(new Error(`its process ended with ${signal ?? `code ${code}`}`)))
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.send(request)
  })
