/** What the server takes at a time. */
import type { ConfigFile } from './config-file.ts'
import { invalidField } from './core/errors.ts'

export interface ConfiguredLimits {
  readonly running: number
  readonly waiting: number
  /** Bytes of the body of a request. */
  readonly bodyBytes: number
  /** Of one that takes a conversation, with images in base64. */
  readonly imageBodyBytes: number
  /** Of all bodies that are read or kept at the same time. */
  readonly bodiesBytes: number
  readonly drainSeconds: number
}

/**
 * Whoever allows larger bodies everywhere allows them with images, too; all together hold at least one.
 * @throws RefineError invalid_request naming the field
 */
export const limitsOf = ({ limits = {} }: ConfigFile): ConfiguredLimits => {
  const bodyBytes = limits.body_bytes ?? 1_048_576
  const imageBodyBytes = limits.image_body_bytes ?? Math.max(20_971_520, bodyBytes)
  const largest = Math.max(bodyBytes, imageBodyBytes)
  const bodiesBytes = limits.bodies_bytes ?? Math.max(268_435_456, largest)
  if (bodiesBytes < largest) {
    const message = `must be at least ${largest}, the largest body that is taken`
    throw invalidField('/limits/bodies_bytes', message)
  }
  return {
    running: limits.running ?? 256,
    waiting: limits.waiting ?? 1024,
    bodyBytes,
    imageBodyBytes,
    bodiesBytes,
    drainSeconds: limits.drain_seconds ?? 20,
  }
}
