/** The sessions of one decoder: its graph, and where it pays one that is only for single tokens. */
import type { TensorSource } from '../checkpoint/tensor-source.ts'
import { writeDecoderGraph, type DecoderPlan } from '../graphs/decoder-graph.ts'
import type { OnnxModel } from '../graphs/graph-builder.ts'
import { PreparedWeights } from '../graphs/prepared-weights.ts'
import { Session, type SessionOptions } from './session.ts'

export interface DecoderSessions {
  readonly any: Session
  /** For runs of one new token of one row without a prefix. */
  readonly single?: Session
}

/**
 * The runtime holds weights once per session. Up to this many bytes of them, a step of a single sample waits for its
 * operators more than for its weights, and a quarter fewer of them are worth a second copy.
 */
const WORTH_A_COPY = 256 * 1024 * 1024

const weightBytes = ({ externalData }: OnnxModel): number =>
  externalData.reduce((sum, { data }) => sum + data.byteLength, 0)

/** @throws RefineError model_failed as `writeDecoderGraph` and `Session.create` do. */
export const openSessions = async (
  plan: DecoderPlan,
  weights: TensorSource,
  options: SessionOptions,
): Promise<DecoderSessions> => {
  const shared = { ...plan, prepared: new PreparedWeights() }
  const graph = writeDecoderGraph(shared, weights)
  const any = await Session.create(graph, options)
  const decodes = plan.head === undefined || plan.head.type === 'tokens'
  if (!decodes || any.chosen.device !== 'cpu' || weightBytes(graph) > WORTH_A_COPY) return { any }
  const single = await Session.create(writeDecoderGraph(shared, weights, 'single'), options)
  return { any, single }
}

export const closeSessions = async ({ any, single }: DecoderSessions): Promise<void> => {
  await any.close()
  await single?.close()
}
