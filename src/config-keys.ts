/** Secrets of the configuration: read from where it names them, and kept out of every message. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { wrong } from './config-error.ts'
import type { FlagName } from './config-flags.ts'
import type { ConfigFile, KeySource, RateLimits } from './config-file.ts'
import type { Environment } from './config-hub.ts'

export interface ConfiguredKey {
  readonly name: string
  /** SHA-256 of the key, in hex. */
  readonly hash: string
  readonly rateLimits: RateLimits | undefined
  /** Whether its callers may choose the arm of an experiment. */
  readonly mayForce: boolean
}

const firstLine = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0]
  } catch (cause) {
    throw wrong(`key file ${file}`, `cannot be read (${(cause as Error).message})`, cause)
  }
}

/** What a header can carry as it is: spaces at the ends are lost, and other signs arrive as others. */
const SENDABLE = /^[\x21-\x7e]{16,}$/

/** @throws RefineError invalid_request naming the setting, without the secret */
export const readSecret = (
  setting: string,
  { env, file }: { readonly env?: string; readonly file?: string },
  environment: Environment,
): string => {
  if ((env === undefined) === (file === undefined)) {
    throw wrong(setting, 'needs exactly one of `env` and `file`')
  }
  const secret = env === undefined ? firstLine(file!) : environment[env]
  if (secret !== undefined && SENDABLE.test(secret)) return secret
  const where = env === undefined ? `the file ${file}` : `the environment variable ${env}`
  throw wrong(setting, `${where} must hold a key of at least 16 ASCII characters without spaces`)
}

/** One key under two names would have the limits of one of them, and nobody could say which. */
const checkDistinct = (keys: readonly ConfiguredKey[]): void => {
  const names = new Map<string, string>()
  for (const { name, hash } of keys) {
    const other = names.get(hash)
    if (other !== undefined) throw wrong(`api_keys "${name}"`, `is the same key as "${other}"`)
    names.set(hash, name)
  }
}

/**
 * The keys of the file and of the flags.
 * @throws RefineError invalid_request naming the key and what was expected
 */
export const apiKeysOf = (
  file: ConfigFile,
  setting: (flag: FlagName) => string | undefined,
  environment: Environment,
): readonly ConfiguredKey[] => {
  const env = setting('api-key-env')
  const keyFile = setting('api-key-file')
  const sources: KeySource[] = [
    ...(file.api_keys ?? []),
    ...(env === undefined ? [] : [{ name: env, env }]),
    ...(keyFile === undefined ? [] : [{ name: path.basename(keyFile), file: keyFile }]),
  ]
  const keys = sources.map((source) => ({
    name: source.name,
    hash: createHash('sha256')
      .update(readSecret(`api_keys "${source.name}"`, source, environment))
      .digest('hex'),
    rateLimits: source.rate_limits,
    mayForce: source.may_force_arms === true,
  }))
  checkDistinct(keys)
  return keys
}
