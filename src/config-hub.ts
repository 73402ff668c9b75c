/** Settings of where models come from, where they lie and what computes them. */
import { homedir } from 'node:os'
import path from 'node:path'
import { DEVICES, type Device } from './core/device.ts'
import { RefineError } from './core/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface HubSettings {
  readonly endpoint: string
  readonly token: string | undefined
  /** Nothing is fetched. */
  readonly offline: boolean
}

/** @throws RefineError invalid_request for a device that there is not. */
export const toDevice = (text: string | undefined): Device | undefined => {
  const device = DEVICES.find((name) => name === text)
  if (device !== undefined || text === undefined) return device
  throw new RefineError(
    'invalid_request',
    `--device: must be one of ${DEVICES.join(', ')}, not "${text}"`,
  )
}

/**
 * Models are large, can be fetched again and serve every project of a user: they belong into the user's cache, not
 * into the data folder of one server.
 */
export const cachedModels = (environment: Environment): string => {
  const cache =
    process.platform === 'win32' ? environment['LOCALAPPDATA'] : environment['XDG_CACHE_HOME']
  return path.join(cache || path.join(homedir(), '.cache'), 'whetstone', 'models')
}

/** The variables that all programs for the hub share, beside our own. */
export const hubOf = (environment: Environment): HubSettings => ({
  endpoint: environment['HF_ENDPOINT'] || 'https://huggingface.co',
  token: environment['HF_TOKEN'] || undefined,
  offline: ['WHETSTONE_OFFLINE', 'HF_HUB_OFFLINE'].some((name) =>
    /^(?:1|true|yes|on)$/i.test(environment[name] ?? ''),
  ),
})
