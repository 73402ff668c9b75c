/** The server under load: one that is running on this machine, or one that is started for the test. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

export interface Target {
  readonly url: URL
  /** The model that streams use. */
  readonly model: string
  /** Stops what was started for the test. */
  stop(): Promise<void>
  /** Kills what was started for the test and starts it again on its data; resolves with its new address. */
  restart?(): Promise<URL>
}

/**
 * The address, when it is one of this machine: load is for one's own server only.
 * @throws Error saying what is allowed.
 */
export const loopbackUrl = (address: string): URL => {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isLoopback =
    url?.protocol === 'http:' &&
    (/^127(?:\.\d{1,3}){3}$/.test(url.hostname) || ['localhost', '[::1]'].includes(url.hostname))
  if (url === undefined || !isLoopback) {
    throw new Error(
      `Only a server on this machine may be put under load (http://127.0.0.1:PORT), not ${address}`,
    )
  }
  return url
}

const START_MS = 60_000
const STOP_MS = 15_000

const waitForAddress = async (child: ChildProcess): Promise<URL> => {
  const signal = AbortSignal.timeout(START_MS)
  const lines = createInterface({ input: child.stdout! })
  const exited = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`The server ended with code ${String(code)} before it listened.`)
  })
  const listening = (async () => {
    for await (const line of lines) {
      const address = /^Whetstone listens on (http:\S+)/.exec(line)?.[1]
      if (address !== undefined) return loopbackUrl(address)
    }
    throw new Error('The server never said where it listens.')
  })()
  exited.catch(() => undefined)
  listening.catch(() => undefined)
  return Promise.race([listening, exited])
}

const waitUntilReady = async (url: URL): Promise<void> => {
  const deadline = performance.now() + START_MS
  for (;;) {
    const response = await fetch(new URL('/readyz', url)).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok === true) return
    if (performance.now() > deadline) throw new Error('The server never became ready.')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const endProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(timer)
}

const PACED = 'paced'
const EVENTS_PER_SECOND = 20
const EVENTS_PER_RUN = 80

/** A stream has about 20 events a second, of so many samples that write at once: the samples share them. */
const pacedModel = (burst: number) => ({
  id: PACED,
  adapter: 'scripted',
  tokens_per_second: EVENTS_PER_SECOND / burst,
  tokens_per_answer: Math.round(EVENTS_PER_RUN / burst),
  first_token_ms: 200,
})

/** Room for every stream that may be asked for. */
const configOf = (burst: number) => ({
  models: [pacedModel(burst)],
  limits: { running: 5000, waiting: 5000 },
})

/** As `npm start` sets it: short-lived objects of many streams fit, which saves a third of the garbage collection. */
const HEAP = '--max-semi-space-size=64'

const launch = (data: string, profile: readonly string[]): ChildProcess => {
  const main = path.resolve(import.meta.dirname, '..', 'src', 'main.js')
  const address = ['--port', '0', '--host', '127.0.0.1']
  const files = ['--data', data, '--config', path.join(data, 'config.yaml')]
  return spawn(process.execPath, [HEAP, ...profile, main, 'serve', ...address, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

const listen = async (child: ChildProcess): Promise<URL> => {
  const url = await waitForAddress(child)
  child.stdout!.resume()
  await waitUntilReady(url)
  return url
}

/**
 * Starts the built server on a free port with a data folder of its own, and a model whose streams have 20 events a second,
 * `burst` at a time; `profile` are flags for Node.
 */
export const startServer = async (
  burst: number,
  profile: readonly string[] = [],
): Promise<Target> => {
  const data = await mkdtemp(path.join(tmpdir(), 'whetstone-load-'))
  await writeFile(path.join(data, 'config.yaml'), JSON.stringify(configOf(burst)))
  let child = launch(data, profile)
  const stop = async (): Promise<void> => {
    await endProcess(child)
    await rm(data, { recursive: true, force: true })
  }
  const restart = async (): Promise<URL> => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    child = launch(data, profile)
    return listen(child)
  }
  try {
    return { url: await listen(child), model: PACED, stop, restart }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** A server that somebody else runs and stops. */
export const runningServer = async (address: string): Promise<Target> => {
  const url = loopbackUrl(address)
  await waitUntilReady(url)
  return { url, model: 'scripted', stop: () => Promise.resolve() }
}
