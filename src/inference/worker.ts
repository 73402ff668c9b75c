/** The thread in which the model computes. It is started by `engine.ts` and talks to it in the messages of `protocol.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { toRefineError } from '../core/errors.ts'
import { openCheckpoint, type Checkpoint } from './checkpoint/checkpoint.ts'
import type { ModelConfig } from './checkpoint/model-config.ts'
import { writeDecoderGraph } from './graphs/decoder-graph.ts'
import { chooseFormat } from './graphs/linear.ts'
import type { Command, Notice, WorkerSettings } from './protocol.ts'
import { GraphDecoder, type Decoder } from './runtime/decoder.ts'
import { ExportDecoder } from './runtime/export-decoder.ts'
import { Session } from './runtime/session.ts'
import { Scheduler } from './scheduler.ts'
import { readTokenText } from './text/token-text.ts'

const settings = workerData as WorkerSettings
const post = (notice: Notice): void => parentPort!.postMessage(notice)

const openDecoder = async (checkpoint: Checkpoint, config: ModelConfig): Promise<Decoder> => {
  const exported = checkpoint.exported(settings.weights)
  if (exported !== undefined) return ExportDecoder.open(exported, config.decoder, settings.threads)
  const weights = checkpoint.weights()
  try {
    const format = chooseFormat(settings.weights, config.decoder)
    const graph = writeDecoderGraph(config.decoder, weights, format, config.head)
    return new GraphDecoder(await Session.create(graph, settings.threads), config.decoder)
  } finally {
    weights.close()
  }
}

const load = async (): Promise<Scheduler> => {
  const checkpoint = openCheckpoint(settings.folder)
  const config = checkpoint.config()
  const decoder = await openDecoder(checkpoint, config)
  const vocabulary = {
    text: readTokenText(checkpoint),
    endTokens: new Set(config.endTokens),
    contextLength: config.decoder.contextLength,
  }
  return new Scheduler(decoder, vocabulary, settings, (events) => post({ type: 'events', events }))
}

/** Nothing can be trusted after a failed run: the engine starts a new worker for the next call. */
const giveUp = (thrown: unknown): void => {
  const { code, message, cause } = toRefineError(thrown)
  const reason = code === 'internal' ? `The model failed: ${String(cause)}` : message
  post({ type: 'broken', code: code === 'internal' ? 'model_failed' : code, message: reason })
  parentPort!.close()
}

const obey = (scheduler: Scheduler, command: Command): void => {
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
  scheduler.run().catch(giveUp)
}

try {
  const scheduler = await load()
  parentPort!.on('message', (command: Command) => obey(scheduler, command))
  post({ type: 'ready' })
} catch (error) {
  giveUp(error)
}
