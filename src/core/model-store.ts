/** The port to models on this machine's disk: what is installed, and how more is fetched or taken in. */

/** Where an installed model came from. */
export type ModelOrigin =
  | {
      readonly kind: 'hub'
      readonly endpoint: string
      readonly repository: string
      /** As it was asked for: a branch, a tag or a commit. */
      readonly revision: string
      /** What that was then: the files are of exactly this commit. */
      readonly commit: string
    }
  | {
      readonly kind: 'import'
      readonly path: string
      /** `link`: the files are hard links and take no space of their own. */
      readonly mode: 'link' | 'copy'
    }

export interface InstalledFile {
  /** Relative to the model's folder, with forward slashes. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
}

export interface InstalledModel {
  readonly id: string
  readonly folder: string
  readonly origin: ModelOrigin
  /** ISO 8601. */
  readonly installedAt: string
  readonly files: readonly InstalledFile[]
}

/** What a pull or an import tells while it works. */
export type StoreEvent =
  | { readonly type: 'note'; readonly text: string }
  /** What there is to do: `done` bytes of it were there already. */
  | {
      readonly type: 'plan'
      readonly files: number
      readonly bytes: number
      readonly done: number
    }
  /** Negative when bytes turn out to be useless, such as those of a file that has changed. */
  | { readonly type: 'bytes'; readonly count: number }
  | { readonly type: 'file'; readonly path: string; readonly size: number }

export interface StoreCall {
  readonly signal: AbortSignal
  readonly report: (event: StoreEvent) => void
}

export interface PullRequest {
  /** A repository of the hub or an id of the catalogue, with an optional `@revision`. */
  readonly reference: string
  /** The weights to take: a path in the repository, or a part that only one has, such as `Q4_K_M`. */
  readonly file?: string
  /** The id to install it under; the reference without its revision when absent. */
  readonly id?: string
}

export interface ImportRequest {
  /** A folder in Hugging Face layout, or a GGUF file. */
  readonly path: string
  /** The name of the folder or file when absent. */
  readonly id?: string
  /** Copies the files even where they could be linked. */
  readonly copy: boolean
}

export interface ModelStore {
  readonly folder: string
  list(): readonly InstalledModel[]
  /** @throws RefineError saying what is wrong and what to do about it; nothing half-installed is left. */
  pull(request: PullRequest, call: StoreCall): Promise<InstalledModel>
  /** @throws RefineError as `pull`. */
  import(request: ImportRequest, call: StoreCall): Promise<InstalledModel>
  /** @throws RefineError unknown_model when it is not installed, conflict while it is being pulled. */
  remove(id: string): Promise<void>
}
