/**
 * The configuration: flag over environment over file over default. The only file besides `main.ts` that reads the
 * environment. Every mistake names the setting and what was expected, and stops the process before it listens.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse as parseYaml, YAMLParseError } from 'yaml'
import type { FlagName, Flags } from './config-flags.ts'
import { limitsOf, type ConfiguredLimits } from './config-limits.ts'
import { ConfigFile, type RateLimits } from './config-file.ts'
import { wrong } from './config-error.ts'
import { apiKeysOf, readSecret, type ConfiguredKey } from './config-keys.ts'
import { originsOf } from './config-origins.ts'
import { cachedModels, hubOf, type Environment, type HubSettings } from './config-hub.ts'
import type { Budget } from './core/budget.ts'
import { DEVICES, type Device } from './core/device.ts'
import { RefineError } from './core/errors.ts'
import { validate } from './core/validation.ts'
import { LOG_LEVELS, type LogLevel } from './telemetry/log.ts'
import type { RetentionDays } from './runs/retention.ts'
import { readModelConfig, type ModelConfig } from './models/model-config.ts'

export interface Config {
  readonly port: number
  readonly host: string
  /** Folder of the SQLite database. */
  readonly data: string
  /** Address of a PostgreSQL database to use in its place. */
  readonly database: string | undefined
  readonly models: readonly ModelConfig[]
  /** Folder of installed models. */
  readonly modelsFolder: string
  /** Of embedded models that name none. */
  readonly device: Device
  readonly hub: HubSettings
  /** Prompt sets by name: a folder, or wordings by question. */
  readonly prompts: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly defaults: {
    readonly model: string | undefined
    readonly strategy: string
    readonly maxTokens: number
    readonly budget: Budget
  }
  readonly apiKeys: readonly ConfiguredKey[]
  /** Of keys that have none of their own. */
  readonly rateLimits: RateLimits
  readonly webhooks: { readonly secrets: readonly string[]; readonly allowPrivate: boolean }
  /** Definitions, unchecked: what they name is known only when everything is put together. */
  readonly experiments: readonly unknown[]
  readonly limits: ConfiguredLimits
  readonly retention: RetentionDays
  /** Origins of pages that may call the server besides its own; `*` is any. */
  readonly origins: readonly string[]
  readonly log: { readonly level: LogLevel; readonly prompts: boolean }
}

const DEFAULT_FILE = 'whetstone.yaml'

const readFile = (file: string | undefined): ConfigFile => {
  if (file === undefined && !existsSync(DEFAULT_FILE)) return {}
  const name = file ?? DEFAULT_FILE
  try {
    return validate(ConfigFile, parseYaml(readFileSync(name, 'utf8')) ?? {}, '', 'the file')
  } catch (cause) {
    if (cause instanceof RefineError || cause instanceof YAMLParseError) {
      throw wrong(`configuration file ${name}`, cause.message, cause)
    }
    throw wrong(`configuration file ${name}`, `cannot be read (${(cause as Error).message})`, cause)
  }
}

/** A flag, else its variable `WHETSTONE_…`; empty counts as absent. */
const settingOf =
  (flags: Flags, environment: Environment) =>
  (flag: FlagName): string | undefined => {
    const given = flags[flag] ?? environment[`WHETSTONE_${flag.toUpperCase().replaceAll('-', '_')}`]
    return given === undefined || given === '' ? undefined : String(given)
  }

const toPort = (text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw wrong('--port', `must be a whole number from 0 to 65535, not "${text}"`)
}

/** The address is not repeated: it may hold a password. */
const toDatabase = (text: string | undefined): string | undefined => {
  if (text === undefined || text === 'sqlite') return undefined
  if (URL.canParse(text) && /^postgres(?:ql)?:/.test(text)) return text
  throw wrong('--database', 'must be sqlite or an address such as postgres://user@host:5432/name')
}

const toSwitch = (setting: string, text: string | undefined): boolean => {
  if (text === undefined || text === 'false' || text === '0') return false
  if (text === 'true' || text === '1') return true
  throw wrong(setting, `must be true or false, not "${text}"`)
}

const oneOf = <Name extends string>(flag: string, names: readonly Name[], text?: string) => {
  const name = names.find((each) => each === text)
  if (name !== undefined || text === undefined) return name
  throw wrong(flag, `must be one of ${names.join(', ')}, not "${text}"`)
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Anyone who can reach the address could spend the models' money: that has to be said openly. */
const checkExposure = (host: string, keys: number, openly: boolean): void => {
  if (LOOPBACK.has(host) || keys > 0 || openly) return
  throw wrong(
    `--host ${host}`,
    'an address other than the loopback needs API keys (api_keys in the configuration, --api-key-env or ' +
      '--api-key-file), or --no-api-keys to say openly that there are none',
  )
}

const embeddedModelsOf = (
  setting: (flag: FlagName) => string | undefined,
  file: ConfigFile,
  environment: Environment,
): Pick<Config, 'modelsFolder' | 'device' | 'hub'> => ({
  modelsFolder: path.resolve(setting('models-dir') ?? file.models_dir ?? cachedModels(environment)),
  device: oneOf('--device', DEVICES, setting('device')) ?? file.device ?? 'auto',
  hub: hubOf(environment),
})

const webhooksOf = ({ webhooks }: ConfigFile, environment: Environment): Config['webhooks'] => ({
  secrets: (webhooks?.secrets ?? []).map((source, index) =>
    readSecret(`webhooks.secrets[${index}]`, source, environment),
  ),
  allowPrivate: webhooks?.allow_private ?? false,
})

const retentionOf = ({ retention = {} }: ConfigFile): RetentionDays => {
  const {
    runs_days: runs,
    events_days: events,
    feedback_days: feedback,
    facts_days: facts,
  } = retention
  const days = Object.entries({ runs, events, feedback, facts })
  return Object.fromEntries(days.filter(([, value]) => value !== undefined)) as RetentionDays
}

/**
 * Puts the configuration together.
 * @throws RefineError invalid_request naming the flag, variable or field and what was expected.
 */
export const loadConfig = (flags: Flags, environment: Environment): Config => {
  const setting = settingOf(flags, environment)
  const file = readFile(setting('config'))
  const apiKeys = apiKeysOf(file, setting, environment)
  const host = setting('host') ?? file.host ?? '127.0.0.1'
  const openly = toSwitch('--no-api-keys', setting('no-api-keys')) || file.no_api_keys === true
  checkExposure(host, apiKeys.length, openly)
  const port = setting('port')
  return Object.freeze({
    port: port === undefined ? (file.port ?? 8080) : toPort(port),
    host,
    data: path.resolve(setting('data') ?? file.data ?? 'data'),
    database: toDatabase(setting('database') ?? file.database),
    models: (file.models ?? []).map((entry, index) => readModelConfig(entry, `/models/${index}`)),
    ...embeddedModelsOf(setting, file, environment),
    prompts: file.prompts ?? {},
    defaults: {
      model: setting('model') ?? file.defaults?.model,
      strategy: setting('strategy') ?? file.defaults?.strategy ?? 'solver-reviewer-refiner',
      maxTokens: file.defaults?.max_tokens ?? 4096,
      budget: file.defaults?.budget ?? {},
    },
    apiKeys,
    rateLimits: file.rate_limits ?? {},
    webhooks: webhooksOf(file, environment),
    experiments: file.experiments ?? [],
    limits: limitsOf(file),
    retention: retentionOf(file),
    origins: originsOf(setting('cors-origin'), file.cors_origins),
    log: {
      level: oneOf('--log-level', LOG_LEVELS, setting('log-level')) ?? file.log?.level ?? 'info',
      prompts: toSwitch('--log-prompts', setting('log-prompts')) || file.log?.prompts === true,
    },
  })
}
