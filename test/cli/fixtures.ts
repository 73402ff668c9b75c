/** A run as its events, and streams to show it on. */
import { PassThrough, Writable } from 'node:stream'
import type { RunEvent, RunnerEvent, StrategyEvent } from '../../src/core/event.ts'
import { emptyUsage } from '../../src/core/run-state.ts'

export type Body = StrategyEvent | RunnerEvent

export const stamp = (bodies: readonly Body[]): RunEvent[] =>
  bodies.map((body, index) => ({
    run_id: 'run_1',
    sequence: index + 1,
    at: '2026-01-02T03:04:05.006Z',
    ...body,
  }))

export const CREATED: Body = {
  type: 'run.created',
  strategy: 'solver-reviewer-refiner',
  options: {},
  model: 'scripted',
  models: {},
  budget: { calls: 9 },
  seed: 7,
  assignment: null,
  metadata: {},
}

const usage = { ...emptyUsage(), calls: 3, input_tokens: 90, output_tokens: 30, seconds: 1.24 }

/** Draft, critique, revision: what a terminal should show of each. */
export const RUN: readonly RunEvent[] = stamp([
  CREATED,
  {
    type: 'candidate.created',
    candidate: 0,
    parents: [],
    round: 0,
    model: 'scripted',
    role: 'draft',
  },
  { type: 'candidate.delta', candidate: 0, text: '17 × 24 = 400.\n' },
  { type: 'candidate.delta', candidate: 0, text: 'The answer is 400.' },
  {
    type: 'candidate.completed',
    candidate: 0,
    finish_reason: 'stop',
    usage: { output_tokens: 12 },
  },
  { type: 'candidate.scored', candidate: 0, scorer: 'judge', score: 0.25, range: [0, 1] },
  {
    type: 'answer.revised',
    revision: 1,
    candidate: 0,
    text: '17 × 24 = 400.\nThe answer is 400.',
    reason: 'first',
    score: 0.25,
  },
  { type: 'critique.delta', candidate: 0, text: 'The product' },
  {
    type: 'critique.completed',
    candidate: 0,
    text: 'The product is wrong.',
    step: 1,
    verdict: 'wrong',
  },
  {
    type: 'candidate.created',
    candidate: 1,
    parents: [0],
    round: 1,
    model: 'scripted',
    role: 'revision',
  },
  { type: 'candidate.delta', candidate: 1, text: 'The answer is 408.' },
  {
    type: 'budget.updated',
    spent: { calls: 3, tokens: 120, seconds: 1.24, cost: 0 },
    left: { calls: 6, tokens: null, seconds: null, cost: null },
  },
  {
    type: 'candidate.completed',
    candidate: 1,
    finish_reason: 'stop',
    usage: { output_tokens: 6 },
  },
  { type: 'candidate.scored', candidate: 1, scorer: 'judge', score: 0.875, range: [0, 1] },
  {
    type: 'answer.revised',
    revision: 2,
    candidate: 1,
    text: 'The answer is 408.',
    reason: 'better score',
    score: 0.875,
  },
  {
    type: 'run.completed',
    answer: { text: 'The answer is 408.', candidate: 1, revision: 2, score: 0.875 },
    usage,
    stop_reason: 'threshold',
  },
])

export const CANCELLED: Body = {
  type: 'run.cancelled',
  answer: { text: 'The answer is 400.', candidate: 0, revision: 1, score: 0.25 },
  usage,
  stop_reason: 'cancelled',
}

export interface Captured extends Writable {
  isTTY?: boolean
  columns?: number
  rows?: number
  text(): string
}

/** A stream that keeps what is written to it, a terminal of the given size where one is given. */
export const capture = (size?: { columns: number; rows: number }): Captured => {
  const pieces: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      pieces.push(String(chunk))
      done()
    },
  })
  return Object.assign(stream, {
    ...(size === undefined ? {} : { isTTY: true, ...size }),
    text: () => pieces.join(''),
  })
}

export const input = (text: string): PassThrough => {
  const stream = new PassThrough()
  stream.end(text)
  return stream
}
