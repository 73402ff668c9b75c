/**
 * llama.cpp's own server, where it is installed: LLAMA_SERVER names its program, else it is looked for on the path. It has
 * a slot for each sample; every slot computes the prompt for itself beforehand, which is not counted as decoding.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant, Job, OpenRequest, Timing } from './contestant.ts'

const PROGRAM = process.platform === 'win32' ? 'llama-server.exe' : 'llama-server'
const START_MS = 60_000
const POLL_MS = 50

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** @throws Error when LLAMA_SERVER names no program */
export const findLlamaServer = (): string | undefined => {
  const named = process.env['LLAMA_SERVER']
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return named
    throw new Error(`LLAMA_SERVER must name a program, and ${named} is none`)
  }
  const folders = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '')
  return folders.map((folder) => path.join(folder, PROGRAM)).find(isProgram)
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const waitUntilLoaded = async (child: ChildProcess, origin: string): Promise<void> => {
  const end = performance.now() + START_MS
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const answer = await fetch(`${origin}/health`).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(POLL_MS)
  }
  throw new Error('llama-server did not start')
}

interface Completion {
  readonly timings: { readonly prompt_ms: number; readonly predicted_n: number }
}

const complete = async (
  origin: string,
  slot: number,
  prompt: readonly number[],
  steps: number,
): Promise<Completion> => {
  const answer = await fetch(`${origin}/completion`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      prompt,
      id_slot: slot,
      n_predict: steps,
      cache_prompt: true,
      ignore_eos: true,
      temperature: 1,
    }),
  })
  if (!answer.ok) throw new Error(`llama-server answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Completion
}

const measure = async (origin: string, { prompt, samples, steps }: Job): Promise<Timing> => {
  const slots = Array.from({ length: samples }, (_, slot) => slot)
  const filled: Completion[] = []
  for (const slot of slots) filled.push(await complete(origin, slot, prompt, 1))
  const start = performance.now()
  const results = await Promise.all(slots.map((slot) => complete(origin, slot, prompt, steps)))
  return {
    prefillSeconds: filled[0]!.timings.prompt_ms / 1000,
    decodeSeconds: (performance.now() - start) / 1000,
    tokens: results.reduce((sum, { timings }) => sum + timings.predicted_n, 0),
  }
}

/** Resident bytes; 0 where the system does not tell them in this way. */
const memoryOf = (child: ChildProcess): number => {
  const status = `/proc/${child.pid}/status`
  if (!existsSync(status)) return 0
  return Number(/VmRSS:\s*(\d+) kB/.exec(readFileSync(status, 'utf8'))?.[1] ?? 0) * 1024
}

/** A server with as many slots as the job has samples, for this job alone. */
const withServer = async (
  program: string,
  { files, threads }: OpenRequest,
  { prompt, samples, steps }: Job,
  use: (origin: string) => Promise<Timing>,
): Promise<Timing> => {
  const port = await freePort()
  const room = samples * (prompt.length + steps + 8)
  const flags = { '-m': files.gguf!, '-t': threads, '-c': room, '-np': samples, '--port': port }
  const child = spawn(
    program,
    ['--host', '127.0.0.1', ...Object.entries(flags).flat().map(String)],
    { stdio: 'ignore' },
  )
  const ended = once(child, 'exit')
  try {
    const origin = `http://127.0.0.1:${port}`
    await waitUntilLoaded(child, origin)
    return { ...(await use(origin)), memory: memoryOf(child) }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

export const openLlamaServer = async (request: OpenRequest): Promise<Contestant> => {
  const program = request.files.llamaServer!
  const precision = request.files.weights === 'int8' ? 'Q8_0' : 'F16'
  const run = (job: Job): Promise<Timing> =>
    withServer(program, request, job, (origin) => measure(origin, job))
  return { precision, run, close: async () => undefined }
}
