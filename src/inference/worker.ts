/** The thread in which the model computes. It is started by `engine.ts` and talks to it in the messages of `protocol.ts`. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { RefineError, toRefineError } from '../core/errors.ts'
import { openCheckpoint, type Checkpoint } from './checkpoint/checkpoint.ts'
import {
  suppressedBy,
  type DecoderShape,
  type Head,
  type ModelConfig,
} from './checkpoint/model-config.ts'
import { chooseFormat, type WeightFormat } from './graphs/linear.ts'
import type { TensorSource } from './checkpoint/tensor-source.ts'
import type { Command, Notice, WorkerSettings } from './protocol.ts'
import { GraphDecoder, type Decoder } from './runtime/decoder.ts'
import { openRuntime } from './runtime/open-runtime.ts'
import { ExportDecoder } from './runtime/export-decoder.ts'
import { mayLeaveProcessor } from './runtime/devices.ts'
import { Scheduler } from './scheduler.ts'
import { readTokenText } from './text/token-text.ts'

const settings = workerData as WorkerSettings
const post = (notice: Notice): void => parentPort!.postMessage(notice)

/**
 * Only the processor has kernels for our int8: elsewhere every such layer would be sent back to it.
 * @throws RefineError model_failed when that is asked for
 */
const formatFor = ({ weights, device }: WorkerSettings, shape: DecoderShape): WeightFormat => {
  if (!mayLeaveProcessor(device)) return chooseFormat(weights, shape)
  if (weights !== 'int8') return weights === 'auto' ? 'fp32' : weights
  throw new RefineError(
    'model_failed',
    `weights: int8 is for device cpu; with ${device} take fp32, fp16 or int4`,
  )
}

const labelsOf = (head: Head): number => (head.type === 'labels' ? head.labels : 0)

/** The weights, until the model is closed: nothing else is asked of a model that is not ready. */
const whileOpen = (weights: TensorSource): TensorSource => ({
  has: (name) => weights.has(name),
  read: (name, shape) => {
    if (receiveMessageOnPort(parentPort!) !== undefined)
      throw new RefineError('shutting_down', 'The model was closed while it was loaded.')
    return weights.read(name, shape)
  },
  close: () => weights.close(),
})

const openDecoder = async (checkpoint: Checkpoint, config: ModelConfig): Promise<Decoder> => {
  const exported = checkpoint.exported(settings.weights)
  if (exported !== undefined) {
    const decoder = await ExportDecoder.open(
      exported,
      config.decoder,
      suppressedBy(config.head),
      settings,
    )
    post({ type: 'device', chosen: decoder.chosen })
    return decoder
  }
  const weights = whileOpen(checkpoint.weights())
  try {
    const format = formatFor(settings, config.decoder)
    const plan = { shape: config.decoder, format, head: config.head }
    const runtime = await openRuntime(plan, weights, settings)
    post({ type: 'device', chosen: runtime.chosen })
    return new GraphDecoder(runtime, config.decoder, labelsOf(config.head))
  } finally {
    weights.close()
  }
}

interface Loaded {
  readonly decoder: Decoder
  readonly scheduler: Scheduler
}

const load = async (): Promise<Loaded> => {
  const checkpoint = openCheckpoint(settings.folder)
  const config = checkpoint.config()
  const decoder = await openDecoder(checkpoint, config)
  const vocabulary = {
    text: readTokenText(checkpoint, settings.spokenTokens),
    endTokens: new Set(config.endTokens),
    suppressedTokens: new Set(suppressedBy(config.head)),
    contextLength: config.decoder.contextLength,
    bans: config.bans,
  }
  const scheduler = new Scheduler(decoder, vocabulary, settings, (events) =>
    post({ type: 'events', events }),
  )
  return { decoder, scheduler }
}

/** Nothing can be trusted after a failed run: the engine starts a new worker for the next call. */
const giveUp = (thrown: unknown): void => {
  const { code, message, cause } = toRefineError(thrown)
  const reason = code === 'internal' ? `The model failed: ${String(cause)}` : message
  post({ type: 'broken', code: code === 'internal' ? 'model_failed' : code, message: reason })
  parentPort!.close()
}

const obey = (scheduler: Scheduler, command: Exclude<Command, { type: 'close' }>): void => {
  switch (command.type) {
    case 'generate':
      scheduler.generate(command.id, command.work)
      break
    case 'score':
      scheduler.score(command.id, command.work)
      break
    case 'cancel':
      scheduler.cancel(command.id)
      break
  }
}

const serve = ({ decoder, scheduler }: Loaded): void => {
  let ended = false
  /** What a device holds is not given back by the end of a thread. */
  const end = async (failure?: unknown): Promise<void> => {
    if (ended) return
    ended = true
    if (failure !== undefined) giveUp(failure)
    await decoder.close()
    parentPort!.close()
  }
  parentPort!.on('message', (command: Command) => {
    if (ended) return
    if (command.type !== 'close') obey(scheduler, command)
    // Every call was cancelled before it closes: what runs ends with its step.
    scheduler.run().then(() => (command.type === 'close' ? end() : undefined), end)
  })
}

try {
  serve(await load())
  post({ type: 'ready' })
} catch (error) {
  giveUp(error)
}
