/** Other engines, fetched from the npm registry into a cache when they are first wanted: too heavy to depend on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'

interface Peer {
  readonly name: string
  readonly packages: readonly string[]
  readonly flags: readonly string[]
}

const LLAMA = '3.22.1'

/** Pinned, and without install scripts: their binaries are packages themselves. */
const PEERS: readonly Peer[] = [
  { name: '@huggingface/transformers', packages: ['@huggingface/transformers@4.3.1'], flags: [] },
  {
    name: 'node-llama-cpp',
    // Its optional packages also bring the GPU builds, hundreds of megabytes of them.
    packages: [`node-llama-cpp@${LLAMA}`, `@node-llama-cpp/${platformOf()}@${LLAMA}`],
    flags: ['--omit=optional'],
  },
]

function platformOf(): string {
  if (process.platform === 'darwin') return process.arch === 'arm64' ? 'mac-arm64-metal' : 'mac-x64'
  return `${process.platform === 'win32' ? 'win' : 'linux'}-${process.arch}`
}

const INSTALL_MS = 300_000

const install = async (folder: string, { packages, flags }: Peer): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const child = spawn('npm', ['install', '--prefix', folder, ...quiet, ...flags, ...packages], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: INSTALL_MS,
    shell: process.platform === 'win32',
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`npm ended with ${code === null ? 'a timeout' : `code ${code}`}`)
}

/**
 * Folders of the peers that are there, installing what is not.
 * @param mayInstall whether to fetch anything; else what is absent is told
 */
export const findPeers = async (
  cache: string,
  mayInstall: boolean,
  tell: (line: string) => void,
): Promise<Record<string, string>> => {
  const found: Record<string, string> = {}
  for (const peer of PEERS) {
    const folder = path.join(cache, 'peers', peer.name.replace('/', '--'))
    const isThere = existsSync(path.join(folder, 'node_modules', peer.name, 'package.json'))
    try {
      if (!isThere && !mayInstall)
        throw new Error('it is not installed, and --quick installs nothing: run once without it')
      if (!isThere) {
        tell(`installing ${peer.packages.join(' ')} into ${folder}`)
        await install(folder, peer)
      }
      found[peer.name] = folder
    } catch (thrown) {
      tell(`${peer.name} takes no part: ${(thrown as Error).message}`)
    }
  }
  return found
}
