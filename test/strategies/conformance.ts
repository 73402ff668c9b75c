/** The suite that every strategy is held to, whatever its method. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { BudgetSpent } from '../../src/core/budget.ts'
import { RefineError } from '../../src/core/errors.ts'
import { STOP_REASONS } from '../../src/core/event.ts'
import type { PromptSet } from '../../src/core/language-model.ts'
import { questionOf } from '../../src/core/task.ts'
import type { Strategy } from '../../src/core/strategy.ts'
import { validate } from '../../src/core/validation.ts'
import {
  BROKEN,
  defaultReply,
  FakeModel,
  tokensOf,
  type FakeOptions,
} from '../support/fake-model.ts'
import { ofType, runStrategy, settle, TASK, type Outcome } from '../support/run-strategy.ts'
import { createContext } from '../support/run-strategy.ts'

/** What looks like a verdict and is none, or one about something that there is not. */
const MALFORMED: Readonly<Record<string, string>> = {
  'numbers out of range': '99\n{"score": 99, "scores": [99, -1], "steps": [2, -1]}',
  'numbers that are none': '{"score": "NaN", "scores": [null], "steps": ["1"]}',
  'JSON that is cut off': '{"reason": "it is", "score": 9, "steps": [0.1, 0.',
  'a step that there is not': 'Step 99 is wrong.\nVerdict: step 99 is wrong',
  'endless brackets': '[{'.repeat(2000),
  'control characters': '\u0000\uFFFD\u202E9',
}

type Options = Record<string, unknown>

const SIZE = { promptTokens: tokensOf(questionOf(TASK)) + 4, maxTokens: 64 }
const WRITERS = ['solve', 'refine', 'aggregate', 'program']
const GENERATOR = ['solve', 'program']
const STEPLESS = { step_scores: 'none', log_probabilities: 'none' } as const

/** What a model may lack without being refused before the run starts. */
const withoutCapabilities = (strategy: Strategy, options: Options) => {
  const { scorers = [], capabilities = [] } = strategy.needs?.(options) ?? {}
  const looksAtTokens =
    capabilities.includes('log_probabilities') ||
    scorers.some((name) => name === 'self-certainty' || name === 'token-confidence')
  return looksAtTokens ? ({ step_scores: 'none' } as const) : STEPLESS
}

export const assertWithinWorstCase = (
  strategy: Strategy,
  options: Options,
  model: FakeModel,
): void => {
  const bound = strategy.worstCase(SIZE, options)
  for (const [role, tally] of model.tallies) {
    const entries = bound.filter((entry) => entry.role === role)
    for (const unit of ['calls', 'inputTokens', 'outputTokens'] as const) {
      const most = entries.reduce((sum, entry) => sum + entry[unit], 0)
      assert.ok(tally[unit] <= most, `${role}: ${tally[unit]} ${unit}, at most ${most} declared`)
    }
  }
}

const assertCompletes = (strategy: Strategy, { selection, thrown }: Outcome): void => {
  assert.equal(thrown, undefined, `${strategy.name} must not throw`)
  assert.ok(selection !== undefined && STOP_REASONS.includes(selection.stopReason))
}

/** Runs the method with every variant of its options, and the model in every condition we can think of. */
export const conform = (
  strategy: Strategy,
  variants: readonly Options[],
  prompts: PromptSet = 'compact',
): void => {
  for (const options of variants) {
    const bare = withoutCapabilities(strategy, options)
    const named = (behaviour: string): string =>
      `${strategy.name} ${JSON.stringify(options)} ${behaviour}`

    const completes = (behaviour: string, fake: FakeOptions): void => {
      test(named(behaviour), async () => {
        const model = new FakeModel({ prompts, ...fake })
        const outcome = await runStrategy(strategy, model, { options, prompts })
        assertCompletes(strategy, outcome)
        assertWithinWorstCase(strategy, options, model)
      })
    }

    completes('completes within its worst case', {})
    completes('survives a model without log-probabilities and step scores', {
      capabilities: bare,
    })
    completes('survives judges, reviewers and verifiers that talk nonsense', {
      capabilities: bare,
      reply: (ask) => (WRITERS.includes(ask.system) ? defaultReply(ask) : '?'),
    })
    completes('survives a judge that says nothing at all', {
      reply: (ask) => (ask.system === 'judge' || ask.system === 'compare' ? '' : defaultReply(ask)),
    })
    completes('survives verifiers that give too few scores', { steps: () => [] })
    for (const [kind, verdict] of Object.entries(MALFORMED)) {
      completes(`survives judges, reviewers and verifiers that reply with ${kind}`, {
        capabilities: bare,
        reply: (ask) => (WRITERS.includes(ask.system) ? defaultReply(ask) : verdict),
      })
    }
    completes('survives calls that end in another order than they began', {
      turns: ({ call }) => (call * 7) % 12,
    })
    completes('survives candidates without an answer', {
      reply: (ask) =>
        ask.system === 'solve' ? 'Nobody knows.\nReally, nobody does.' : defaultReply(ask),
    })
    completes('survives empty candidates', {
      reply: (ask) => (ask.system === 'solve' ? '' : defaultReply(ask)),
    })
    completes('survives candidates that are all equal', {
      reply: (ask) => (ask.system === 'solve' ? '- a: 1 + 1 = 2\n#### 2' : defaultReply(ask)),
    })
    completes('survives samples that fail', {
      reply: (ask) => (ask.system === 'solve' && ask.sample % 2 === 1 ? BROKEN : defaultReply(ask)),
    })
    completes('keeps the first answer when every role but the generator is down', {
      fails: ({ system }) => !GENERATOR.includes(system),
    })
    completes('survives reviewers and refiners that fail in the middle', {
      reply: (ask) => (GENERATOR.includes(ask.system) ? defaultReply(ask) : BROKEN),
    })

    // Programs run in another thread: in which order they end is not ours.
    const { scorers = [], sandbox } = strategy.needs?.(options) ?? {}
    const skip = sandbox === true || scorers.includes('execution')
    test(named('is repeated exactly by the same seed'), { skip }, async () => {
      const first = await runStrategy(strategy, new FakeModel({ prompts }), {
        options,
        prompts,
        seed: 5,
      })
      const second = await runStrategy(strategy, new FakeModel({ prompts }), {
        options,
        prompts,
        seed: 5,
      })
      assert.deepEqual(second, first)
    })

    test(named('fails with the causes when no candidate can be generated'), async () => {
      const model = new FakeModel({ prompts, reply: () => BROKEN })
      const { thrown, selection } = await runStrategy(strategy, model, { options, prompts })
      assert.equal(selection, undefined)
      assert.ok(thrown instanceof RefineError && thrown.code === 'all_candidates_failed')
      assert.match(thrown.message, /The fake model is down/)
      assert.ok(thrown.cause instanceof AggregateError && thrown.cause.errors[0] === BROKEN)
    })

    test(named('fails with an error of ours when the generator is down'), async () => {
      const model = new FakeModel({ prompts, fails: () => true })
      const { thrown } = await runStrategy(strategy, model, { options, prompts })
      assert.ok(thrown instanceof RefineError)
    })

    test(named('lets a spent budget through at every call'), async () => {
      const whole = new FakeModel({ prompts })
      const reference = await runStrategy(strategy, whole, { options, prompts })
      for (let spentAt = 1; spentAt <= whole.calls; spentAt++) {
        const model = new FakeModel({ prompts, spentAt })
        const { thrown, events } = await runStrategy(strategy, model, { options, prompts })
        assert.ok(
          thrown instanceof BudgetSpent,
          `call ${spentAt} of ${whole.calls}: ${String(thrown)}`,
        )
        assert.ok(model.calls < spentAt)
        assert.ok(events.length <= reference.events.length + whole.calls)
        assert.ok(model.signals.every((signal) => signal.aborted))
      }
    })

    test(named('ends at once when it is cancelled at any event'), async () => {
      const { events } = await runStrategy(strategy, new FakeModel({ prompts }), {
        options,
        prompts,
      })
      for (let at = 0; at < events.length; at++) {
        const model = new FakeModel({ prompts })
        const controller = new AbortController()
        const reason = new Error('cancelled')
        const outcome = await runStrategy(strategy, model, {
          options,
          prompts,
          signal: controller.signal,
          onEvent: (_, index) => {
            if (index === at) controller.abort(reason)
          },
        })
        assert.ok(outcome.thrown === reason || outcome.selection !== undefined)
        assert.ok(model.signals.every((signal) => signal.aborted))
      }
    })

    test(named('stops its model when nobody reads any further'), async () => {
      const { events } = await runStrategy(strategy, new FakeModel({ prompts }), {
        options,
        prompts,
      })
      for (let at = 0; at < events.length; at++) {
        const model = new FakeModel({ prompts })
        const run = strategy.run(TASK, options, createContext(model, { prompts }))
        for (let read = 0; read <= at; read++) await run.next()
        await run.return({ candidate: 0, stopReason: 'cancelled' })
        await settle(model)
        assert.ok(model.signals.every((signal) => signal.aborted))
      }
    })

    test(named('ends a model that hangs when it is cancelled'), async () => {
      const { calls } = await (async () => {
        const model = new FakeModel({ prompts })
        await runStrategy(strategy, model, { options, prompts })
        return model
      })()
      for (let stalled = 1; stalled <= calls; stalled++) {
        const model = new FakeModel({ prompts, stalls: ({ call }) => call === stalled })
        const controller = new AbortController()
        const reason = new Error('cancelled')
        const timer = setInterval(() => {
          if (model.calls >= stalled) controller.abort(reason)
        }, 1)
        const { thrown, selection } = await runStrategy(strategy, model, {
          options,
          prompts,
          signal: controller.signal,
        })
        clearInterval(timer)
        assert.ok(thrown === reason || selection !== undefined)
      }
    })

    test(named('draws fewer samples when the budget of calls is small'), async () => {
      const model = new FakeModel({ prompts })
      const { thrown, events } = await runStrategy(strategy, model, {
        options,
        prompts,
        budget: { calls: 2 },
      })
      assert.equal(thrown, undefined)
      assert.ok(ofType(events, 'candidate.created').some(({ role }) => role === 'draft'))
    })
  }

  test(`${strategy.name} takes {} and describes every option`, () => {
    assert.deepEqual(Object.keys(validate(strategy.options, {})).toSorted(), defaults(strategy))
    for (const [name, schema] of Object.entries(strategy.options.properties)) {
      const described = schema as { description?: string; default?: unknown }
      assert.ok(described.description, `${name} has no description`)
      assert.ok(described.default !== undefined || name === 'threshold', `${name} has no default`)
    }
    assert.throws(() => validate(strategy.options, { unheard_of: 1 }), /unheard_of/)
    assert.match(strategy.name, /^[a-z]+(-[a-z]+)*$/)
    assert.ok(strategy.description.length > 20 && strategy.source.length > 0)
  })
}

const defaults = (strategy: Strategy): string[] =>
  Object.entries(strategy.options.properties)
    .filter(([, schema]) => (schema as { default?: unknown }).default !== undefined)
    .map(([name]) => name)
    .toSorted()
