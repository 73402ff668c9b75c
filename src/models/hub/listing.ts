/** What a repository of the hub holds at one revision. */
import { Type, type Static } from 'typebox'
import { RefineError } from '../../core/errors.ts'
import { describeFields, findErrors } from '../../core/validation.ts'
import type { HubConnection } from './connection.ts'

const Sha1 = Type.String({ pattern: '^[0-9a-f]{40}$' })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })

const ModelInfo = Type.Object({
  sha: Sha1,
  siblings: Type.Array(
    Type.Object({
      rfilename: Type.String({ minLength: 1 }),
      size: Type.Optional(Type.Integer({ minimum: 0 })),
      blobId: Type.Optional(Sha1),
      lfs: Type.Optional(
        Type.Union([
          Type.Object({ sha256: Sha256, size: Type.Integer({ minimum: 0 }) }),
          Type.Null(),
        ]),
      ),
    }),
  ),
})

/** What is known of a file before it is there. One of the sums always is. */
export interface RemoteFile {
  /** Relative, with forward slashes, inside the repository. */
  readonly path: string
  readonly size: number
  /** Of files in large-file storage. */
  readonly sha256?: string
  /** Git's own sum of all other files. */
  readonly gitSha1?: string
}

export interface Listing {
  readonly commit: string
  readonly files: readonly RemoteFile[]
}

const LARGEST_LISTING = 64 * 1024 * 1024

const isSafePath = (path: string): boolean =>
  !path.includes('\\') &&
  !path.includes('\0') &&
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')

const readBounded = async (response: Response, alive: () => void): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    alive()
    size += (chunk as Uint8Array).byteLength
    if (size > LARGEST_LISTING)
      throw new RefineError('upstream_rejected', `${response.url}: the list of files has no end`)
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parse = (text: string, address: URL): Static<typeof ModelInfo> => {
  const wrong = (what: string, cause?: unknown): RefineError =>
    new RefineError('upstream_rejected', `${address.href}: ${what}`, { cause })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw wrong('expected JSON, as a hub answers', cause)
  }
  const fields = findErrors(ModelInfo, value)
  if (fields.length > 0) throw wrong(describeFields(fields, 'the answer'))
  return value as Static<typeof ModelInfo>
}

const remoteFile = (
  { rfilename: path, size, blobId, lfs }: Static<typeof ModelInfo>['siblings'][number],
  address: URL,
): RemoteFile => {
  if (!isSafePath(path))
    throw new RefineError(
      'upstream_rejected',
      `${address.href}: the file name "${path}" is refused`,
    )
  if (lfs !== undefined && lfs !== null) return { path, size: lfs.size, sha256: lfs.sha256 }
  if (size === undefined || blobId === undefined)
    throw new RefineError(
      'upstream_rejected',
      `${address.href}: expected a size and a checksum of ${path}`,
    )
  return { path, size, gitSha1: blobId }
}

/** @throws RefineError as `HubConnection.open`, and upstream_rejected for an answer that is no listing. */
export const fetchListing = async (
  hub: HubConnection,
  repository: string,
  revision: string,
  signal: AbortSignal,
): Promise<Listing> => {
  // A revision is one part of the address even where it holds slashes.
  const path = hub.address(['api', 'models', repository, 'revision']).href
  const address = new URL(`${path}/${encodeURIComponent(revision)}?blobs=true`)
  const text = await hub.persist(() => hub.open(address, {}, signal, readBounded), signal)
  const { sha, siblings } = parse(text, address)
  return { commit: sha, files: siblings.map((sibling) => remoteFile(sibling, address)) }
}
