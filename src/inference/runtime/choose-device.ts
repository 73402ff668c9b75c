/** Tries devices until one works, or the one that was asked for. */
import type { Device } from '../../core/device.ts'
import { RefineError } from '../../core/errors.ts'
import { ADVICE, AUTO_DEVICES, obstacleOf, type RealDevice } from './devices.ts'

/** What a model computes on, and why that. */
export interface ChosenDevice {
  readonly device: RealDevice
  readonly reason: string
}

const noDevice = (device: RealDevice, why: string, cause?: unknown): RefineError =>
  new RefineError(
    'model_failed',
    `device ${device} cannot be used: ${why}. It needs: ${ADVICE[device]}. "whetstone doctor" shows every device; device: cpu always works.`,
    cause === undefined ? {} : { cause },
  )

const openOn = async <Opened>(
  chosen: ChosenDevice,
  open: (chosen: ChosenDevice) => Promise<Opened>,
): Promise<Opened> => {
  const { device } = chosen
  const obstacle = obstacleOf(device)
  if (obstacle !== undefined) throw noDevice(device, obstacle)
  try {
    return await open(chosen)
  } catch (cause) {
    if (cause instanceof RefineError) throw cause
    if (device !== 'cpu') throw noDevice(device, String(cause), cause)
    throw new RefineError('model_failed', `ONNX Runtime refused the model: ${String(cause)}`, {
      cause,
    })
  }
}

/**
 * Opens something on the device; `auto` tries the faster ones and falls back to the processor, anything else is used or
 * fails.
 * @throws RefineError model_failed saying what was tried and what is missing, or the one that `open` threw.
 */
export const onDevice = async <Opened>(
  device: Device,
  open: (chosen: ChosenDevice) => Promise<Opened>,
): Promise<Opened> => {
  if (device !== 'auto') return openOn({ device, reason: 'as configured' }, open)
  const passed: string[] = []
  for (const candidate of AUTO_DEVICES) {
    const obstacle = obstacleOf(candidate)
    if (obstacle !== undefined) {
      passed.push(`${candidate}: ${obstacle}`)
      continue
    }
    try {
      return await openOn({ device: candidate, reason: 'the first that works' }, open)
    } catch (thrown) {
      passed.push((thrown as Error).message)
    }
  }
  return openOn({ device: 'cpu', reason: `no faster device: ${passed.join('; ')}` }, open)
}
