/** What a command is made of, and what it needs of the program. */
import type { ModelStore } from '../core/model-store.ts'
import type { RunExports } from '../exports/run-exports.ts'
import type { RunService } from '../runs/run-service.ts'
import type { Command, Flag, ParsedArguments } from './arguments.ts'
import type { DoctorReport } from './doctor.ts'
import { writeAll, type CommandIo } from './output.ts'

/** Values of flags by name, without the dashes; a switch is `'true'`. */
export type Settings = Readonly<Record<string, string>>

/**
 * What a command does with the data folder or database: `make` uses it and makes what is missing, `require` uses one that
 * is there, `none` leaves it alone, for what does not depend on it.
 */
export type DataUse = 'make' | 'require' | 'none'

/** What the commands need of the program; the composition root supplies it. */
export interface CommandDependencies {
  readonly version: string
  /** The flags of `whetstone serve`, as the configuration knows them. */
  readonly serveFlags: readonly Flag[]
  /** Serves until `io.signal` aborts and all is drained. */
  serve(settings: Settings, io: CommandIo): Promise<void>
  /**
   * Runs of this process, for `config` and `data` of the settings; the command closes it.
   * @throws RefineError when the data folder holds none and the use is `require`
   */
  openRuns(
    settings: Settings,
    use: DataUse,
  ): Promise<{
    readonly runs: RunService
    readonly exports: RunExports
    readonly close: () => Promise<void>
  }>
  /** The models on this machine's disk, for `config`, `models-dir` and `offline` of the settings. */
  openModelStore(settings: Settings): Promise<ModelStore>
  /** Looks at everything that a server needs. Never throws for what it finds. */
  examine(settings: Settings, signal: AbortSignal): Promise<DoctorReport>
  /** The folder that holds `models/catalog.json`. */
  readonly packageRoot: string
  /** The OpenAPI document of the server. */
  openapi(): Promise<object>
}

/** Resolves with the exit code. */
export type Action = (
  parsed: ParsedArguments,
  io: CommandIo,
  deps: CommandDependencies,
) => Promise<number>

export type CommandEntry = readonly [Command, Action]

/** @throws RefineError when it cannot be written, as on a full disk */
export const print = (io: CommandIo, text: string): Promise<void> => writeAll(io.stdout, [text])

/** Width of the terminal, in cells; endless where the output is none. */
export const columnsOf = ({ stdout }: CommandIo): number =>
  stdout.isTTY === true ? (stdout.columns ?? 80) : Infinity
