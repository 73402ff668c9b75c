/** The smallest parts a runner can be built from: a memory of what was asked, and strategies made for one test. */
import { Type } from 'typebox'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import {
  CAPABILITIES,
  type GenerationChunk,
  type LanguageModel,
} from '../../src/core/language-model.ts'
import { messageText } from '../../src/core/conversation.ts'
import type { RolePrompts } from '../../src/core/prompts.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { StrategyEvent } from '../../src/core/event.ts'
import {
  defineStrategy,
  type Selection,
  type Strategy,
  type StrategyContext,
} from '../../src/core/strategy.ts'
import type { Task } from '../../src/core/task.ts'
import type { DeliveryStore } from '../../src/core/run-store.ts'
import type { Quotas } from '../../src/runs/quotas.ts'
import type { WebhookDispatcher } from '../../src/runs/webhook-dispatcher.ts'
import { Runner } from '../../src/runs/runner.ts'
import { openSqliteStore } from '../../src/storage/sqlite.ts'

export const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Answers every prompt with the words given, one token each; `gate` holds every token back until it resolves. */
export const wordModel = (
  words: readonly string[],
  gate: (signal: AbortSignal) => Promise<void> = async () => undefined,
): LanguageModel => ({
  id: 'words',
  capabilities: Object.fromEntries(
    CAPABILITIES.map((name) => [name, 'native']),
  ) as LanguageModel['capabilities'],
  prompts: 'full',
  contextLength: 1000,
  price: { input: 1, output: 2 },
  countTokens: (messages) =>
    messages.reduce((sum, message) => sum + messageText(message).split(' ').length, 0),
  async *generate({ samples, sampling, messages }, { signal }): AsyncGenerator<GenerationChunk> {
    yield { type: 'usage', inputTokens: this.countTokens(messages), cachedTokens: 0 }
    const said = words.slice(0, sampling.max_tokens ?? words.length)
    for (let sample = 0; sample < samples; sample++) {
      for (const text of said) {
        await gate(signal)
        signal.throwIfAborted()
        yield { type: 'delta', sample, text: `${text} ` }
      }
      const reason = said.length < words.length ? ('length' as const) : ('stop' as const)
      yield {
        type: 'finish',
        sample,
        reason: { unified: reason, raw: reason },
        outputTokens: said.length,
      }
    }
  },
  async ready() {},
  async close() {},
})

/** Waits until the signal aborts. */
export const forever = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })

export async function* draft(
  candidate: number,
  task: Task,
  context: StrategyContext,
): AsyncGenerator<StrategyEvent, void, void> {
  const { generator } = context.models
  yield {
    type: 'candidate.created',
    candidate,
    parents: [],
    round: 0,
    model: generator.id,
    role: 'draft',
  }
  const request = {
    messages: task.messages,
    samples: 1,
    sampling: task.sampling,
    seed: context.random.seed(),
  }
  for await (const chunk of generator.generate(request, { signal: context.signal })) {
    if (chunk.type === 'delta') yield { type: 'candidate.delta', candidate, text: chunk.text }
    if (chunk.type !== 'finish') continue
    const usage = { output_tokens: chunk.outputTokens }
    yield { type: 'candidate.completed', candidate, finish_reason: chunk.reason.unified, usage }
  }
}

/** `count` drafts one after the other; the first becomes the answer at once, the last is selected. */
export const drafts = defineStrategy({
  name: 'drafts',
  description: 'Drafts one after the other.',
  source: 'test',
  options: Type.Object(
    { count: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 1 })) },
    { additionalProperties: false },
  ),
  feedback: 'none',
  requires: [],
  worstCase: ({ promptTokens, maxTokens }, { count = 1 }) => [
    {
      role: 'generator',
      calls: count,
      inputTokens: count * promptTokens,
      outputTokens: count * maxTokens,
    },
  ],
  async *run(task, { count = 1 }, context): AsyncGenerator<StrategyEvent, Selection, void> {
    for (let candidate = 0; candidate < count; candidate++) {
      yield* draft(candidate, task, context)
      if (candidate > 0) continue
      yield {
        type: 'answer.revised',
        revision: 1,
        candidate: 0,
        text: 'first',
        reason: 'first',
        score: null,
      }
    }
    return { candidate: count - 1, stopReason: 'finished' }
  },
})

export const strategyOf = (name: string, run: Strategy['run']): Strategy => ({
  ...drafts,
  name,
  run,
})

const prompts = {
  name: 'full',
  hash: 'h',
  solve: (task: Task) => task.messages,
} as RolePrompts

export interface Options {
  readonly model?: LanguageModel
  readonly strategies?: readonly Strategy[]
  readonly running?: number
  readonly waiting?: number
  readonly folder?: string
  readonly quotas?: Quotas
  readonly webhooks?: (store: DeliveryStore) => WebhookDispatcher
}

/** Gone when the process ends: hooks of a test run in the order they were set, and stores are closed in later ones. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-test-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const buildRunner = (t: TestContext, options: Options = {}) => {
  const model = options.model ?? wordModel(['one', 'two', 'three'])
  const store = openSqliteStore(options.folder ?? temporaryFolder())
  const runner = new Runner({
    parts: {
      strategies: [drafts, ...(options.strategies ?? [])],
      models: {
        get: (id) => {
          if (id === model.id) return model
          throw new RefineError(
            'unknown_model',
            `There is no model "${id}"; there are: ${model.id}.`,
          )
        },
        describe: () => [],
        ready: async () => undefined,
      },
      prompts: () => prompts,
      scorers: () => ({
        scorer: () => assertUnused(),
        comparator: () => assertUnused(),
        has: () => false,
        alternatives: undefined,
      }),
      defaults: { model: model.id, strategy: 'drafts', maxTokens: 100, budget: {} },
    },
    store,
    log: silent,
    ...(options.quotas === undefined ? {} : { quotas: options.quotas }),
    ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks(store.deliveries) }),
    limits: { running: options.running ?? 4, waiting: options.waiting ?? 4 },
  })
  t.after(async () => {
    await runner.drain(0)
    await store.close()
  })
  return { runner, store }
}

const assertUnused = (): never => {
  throw new Error('No scorer was expected to be used.')
}

/** Lets the time between tries pass, until the work is done. */
export const passing = async <Value>(t: TestContext, work: Promise<Value>): Promise<Value> => {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  while (!isDone) {
    t.mock.timers.tick(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return done
}
