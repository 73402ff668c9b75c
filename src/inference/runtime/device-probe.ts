/** A process that tries one device and says how it went: a driver that crashes takes only this process with it. */
import { DEVICES, type Device } from '../../core/device.ts'
import { RefineError } from '../../core/errors.ts'
import { probeSpeed, type Probe } from './speed-probe.ts'

/** What it sends, once. */
export type ProbeAnswer = { readonly probe: Probe } | { readonly problem: string }

const [name, threads] = process.argv.slice(2)
const device: Device | undefined = DEVICES.find((known) => known === name)

const answer = async (): Promise<ProbeAnswer> => {
  if (device === undefined) return { problem: `there is no device "${name}"` }
  try {
    return { probe: await probeSpeed(device, Number(threads)) }
  } catch (thrown) {
    // The advice that goes with the error is given beside the finding.
    const reason = thrown instanceof RefineError ? (thrown.cause ?? thrown) : thrown
    const text = reason instanceof Error ? reason.message : String(thrown)
    return { problem: text.replaceAll(/\s+/g, ' ').trim() }
  }
}

// Ends the process only when the answer has left it; exit handlers of drivers are not waited for.
const sent = await answer()
process.send?.(sent, () => process.exit(0))
