/** Settings of where models come from and where they lie. */
import { homedir } from 'node:os'
import path from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

export interface HubSettings {
  readonly endpoint: string
  readonly token: string | undefined
  /** Nothing is fetched. */
  readonly offline: boolean
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
