/** The same weights in the form each engine reads, made once and kept in the cache. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import type { DecoderShape } from '../../src/inference/checkpoint/model-config.ts'
import type { ModelFiles } from './contestant.ts'
import { findLlamaServer } from './llama-server.ts'
import { writeGguf } from './gguf-writer.ts'
import { writeStockExport } from './stock-export.ts'

/** Changes with the writers: what an older one wrote is not read. */
const FORMAT = 1

const fingerprint = (location: string): string => {
  const files = statSync(location).isFile()
    ? [location]
    : readdirSync(location).map((name) => path.join(location, name))
  const facts = files
    .toSorted()
    .map((file) => `${file} ${statSync(file).size} ${statSync(file).mtimeMs}`)
  return createHash('sha256')
    .update([FORMAT, ...facts].join('\n'))
    .digest('hex')
    .slice(0, 16)
}

/** Why the plain writers of this folder cannot express it; undefined when they can. */
const peculiarity = ({ biases, queryKeyNorm, rotary }: DecoderShape): string | undefined => {
  if (biases.queryKeyValue || biases.attentionOutput || biases.feedForward) return 'has biases'
  if (queryKeyNorm) return 'normalises queries and keys'
  return rotary.scaling.type === 'none' ? undefined : `scales its rotation (${rotary.scaling.type})`
}

/** Makes it under another name first: an interrupted bench leaves nothing half-written. */
const once = async (target: string, make: (draft: string) => Promise<void>): Promise<string> => {
  if (existsSync(target)) return target
  const draft = `${target}.draft`
  await rm(draft, { recursive: true, force: true })
  await make(draft)
  await rename(draft, target)
  return target
}

export const prepareModel = async (
  location: string,
  weights: 'fp32' | 'int8',
  cache: string,
  packages: Readonly<Record<string, string>>,
  tell: (line: string) => void,
): Promise<ModelFiles> => {
  const checkpoint = openCheckpoint(location)
  const { decoder: shape } = checkpoint.config()
  const files = { checkpoint: location, weights, packages, llamaServer: findLlamaServer() }
  const reason = peculiarity(shape)
  if (reason !== undefined) {
    tell(`no other engine takes part: the model ${reason}, which the bench cannot write for them`)
    return { ...files, onnx: undefined, gguf: undefined }
  }
  const home = path.join(cache, 'models', fingerprint(location))
  await mkdir(home, { recursive: true })
  const onnx = await once(path.join(home, `onnx-${weights}`), async (draft) => {
    const source = checkpoint.weights()
    await writeStockExport(draft, shape, source, weights)
    source.close()
  })
  const matrices = weights === 'int8' ? 'Q8_0' : 'F16'
  const gguf = await once(path.join(home, `${matrices}.gguf`), async (draft) =>
    writeGguf(draft, checkpoint, matrices),
  )
  return { ...files, onnx, gguf }
}
