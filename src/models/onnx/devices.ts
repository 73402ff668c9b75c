/** Tries the devices that the embedded engine knows, each in a process of its own. */
import { fork } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RealDevice } from '../../inference/runtime/devices.ts'
import type { ProbeAnswer } from '../../inference/runtime/device-probe.ts'
import type { Speed } from '../../inference/runtime/speed-probe.ts'

export interface DeviceFinding {
  readonly device: RealDevice
  readonly speed: Speed | undefined
  /** What was tried and what is missing; undefined when it works. */
  readonly problem: string | undefined
  /** What it needs. */
  readonly advice: string
}

const PROBE = new URL(
  `../../inference/runtime/device-probe${path.extname(fileURLToPath(import.meta.url))}`,
  import.meta.url,
)
const PROBE_MS = 60_000

const ask = (device: RealDevice, threads: number, signal: AbortSignal): Promise<ProbeAnswer> =>
  new Promise((resolve, reject) => {
    const child = fork(PROBE, [device, String(threads)], {
      // Drivers talk; what matters comes as a message.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      signal,
      timeout: PROBE_MS,
    })
    child.once('message', (message) => resolve(message as ProbeAnswer))
    child.once('error', (cause) =>
      signal.aborted ? reject(cause) : resolve({ problem: String(cause) }),
    )
    child.once('exit', (code, killer) =>
      resolve({
        problem: `the process that tried it ended with ${killer === null ? `code ${code}` : killer}`,
      }),
    )
  })

/** One after the other: two at once would measure each other. @throws the signal's reason when it aborts. */
export const findDevices = async (
  threads: number,
  signal: AbortSignal,
): Promise<readonly DeviceFinding[]> => {
  // Loads the runtime's library, which a process that only asks its worker for answers does without.
  const { ADVICE, obstacleOf, REAL_DEVICES } = await import('../../inference/runtime/devices.ts')
  const findings: DeviceFinding[] = []
  for (const device of REAL_DEVICES) {
    const obstacle = obstacleOf(device)
    const answer =
      obstacle === undefined ? await ask(device, threads, signal) : { problem: obstacle }
    signal.throwIfAborted()
    const isThere = 'probe' in answer
    findings.push({
      device,
      speed: isThere ? answer.probe : undefined,
      problem: isThere ? undefined : answer.problem,
      advice: ADVICE[device],
    })
  }
  return findings
}
