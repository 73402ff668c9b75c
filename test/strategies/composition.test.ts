/** Random compositions: each is either refused by the place that is wrong, or completes within its worst case. */
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RefineError } from '../../src/core/errors.ts'
import { composed } from '../../src/strategies/composed.ts'
import { GATE } from '../../src/strategies/composition/gates.ts'
import { SAMPLER } from '../../src/strategies/composition/samplers.ts'
import { SCORER } from '../../src/strategies/composition/scorers.ts'
import { SELECTOR } from '../../src/strategies/composition/selectors.ts'
import { STOPPER } from '../../src/strategies/composition/stoppers.ts'
import { UPDATER } from '../../src/strategies/composition/updaters.ts'
import { BROKEN, defaultReply, FakeModel, type Ask } from '../support/fake-model.ts'
import { runStrategy } from '../support/run-strategy.ts'
import { assertWithinWorstCase } from './conformance.ts'

const small = { n: fc.integer({ min: 1, max: 4 }) }

/** Options that a random choice of a kind is given; others keep their defaults. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, fc.Arbitrary<unknown>>>>> = {
  program: small,
  'low-confidence': { warmup: fc.constantFrom(1, 2), keep: fc.constantFrom(0.3, 1) },
  'probe-agreement': { chunk: fc.constantFrom(2, 8), agree: fc.constantFrom(1, 2) },
  rubric: { criteria: fc.constantFrom(['Right?'], ['Right?', 'Short?']) },
  plain: { ...small, batch: fc.integer({ min: 1, max: 4 }) },
  models: { ...small, models: fc.subarray(['one', 'two', 'three']) },
  'iterative-deepening': {
    ...small,
    allowance: fc.constantFrom(4, 16),
    triggers: fc.integer({ min: 0, max: 3 }),
    max_tokens: fc.constantFrom(16, 64),
  },
  guidelines: small,
  paraphrase: { ...small, paraphrases: fc.integer({ min: 1, max: 3 }) },
  power: { ...small, steps: fc.integer({ min: 0, max: 3 }) },
  'process-reward': { aggregate: fc.constantFrom('product', 'min', 'last', 'mean', 'clipped') },
  likelihood: { per_token: fc.boolean() },
  league: { opponents: fc.integer({ min: 1, max: 3 }), comparisons: fc.constantFrom(1, 2) },
  knockout: { comparisons: fc.constantFrom(1, 2) },
  universal: { orders: fc.constantFrom(1, 2) },
  rewrite: {
    critique: fc.constantFrom('located', 'untargeted', 'none'),
    targets: fc.constantFrom('best', 'all'),
  },
  repair: {
    scope: fc.constantFrom('local', 'global', 'both'),
    targets: fc.constantFrom('best', 'all'),
  },
  aggregate: { k: fc.integer({ min: 1, max: 4 }) },
  tree: { width: fc.integer({ min: 1, max: 3 }) },
  threshold: { score: fc.constantFrom(-5, 0.5, 5) },
  reservation: { cost: fc.constantFrom(0, 0.05, 0.5) },
  stagnation: { patience: fc.constantFrom(1, 2) },
  window: { length: fc.constantFrom(1, 2) },
  passes: { passes: fc.constantFrom(1, 2) },
  'judge-halt': { least_rounds: fc.constantFrom(0, 1) },
}

const part = ({ kinds }: { readonly kinds: object }): fc.Arbitrary<{ kind: string }> =>
  fc
    .constantFrom(...Object.keys(kinds))
    .chain((kind) => fc.record({ kind: fc.constant(kind), ...OPTIONS[kind] }))

const { any: _any, all: _all, none: _none, ...RULES } = STOPPER.kinds
const rules = fc.array(part({ kinds: RULES }), { minLength: 1, maxLength: 3 })
const several = fc.record({ kind: fc.constantFrom('any', 'all'), of: rules })

const composition = fc.record(
  {
    sampler: part(SAMPLER),
    gate: part(GATE),
    scorer: part(SCORER),
    updater: part(UPDATER),
    selector: part(SELECTOR),
    stopper: fc.oneof(part({ kinds: { none: {}, ...RULES } }), several),
    rounds: fc.integer({ min: 0, max: 3 }),
  },
  { requiredKeys: [] },
)

/** How the model behaves: as usual, all alike, at length, or with every third sample failing. */
const REPLIES: readonly ((ask: Ask) => ReturnType<typeof defaultReply>)[] = [
  defaultReply,
  (ask) => (ask.system === 'solve' ? '- a: 1 + 1 = 2\n#### 2' : defaultReply(ask)),
  (ask) => (ask.system === 'solve' ? '- word: 1 + 1 = 2\n'.repeat(20) : 'x'.repeat(10_000)),
  (ask) => (ask.call % 3 === 2 ? BROKEN : defaultReply(ask)),
]

const refusalOf = (options: Record<string, unknown>): RefineError | undefined => {
  try {
    composed.needs!(options)
    return undefined
  } catch (thrown) {
    assert.ok(thrown instanceof RefineError, String(thrown))
    return thrown
  }
}

test('a random composition completes within its worst case, or is refused by its place', async () => {
  let completed = 0
  const property = fc.asyncProperty(
    composition,
    fc.constantFrom(...REPLIES),
    async (options, reply) => {
      const refusal = refusalOf(options)
      if (refusal !== undefined) {
        assert.equal(refusal.code, 'invalid_request')
        assert.match(refusal.fields[0]!.pointer, /^\/options\/[a-z]+(\/of\/\d)?\/[a-z]+$/)
        return
      }
      const model = new FakeModel({ prompts: 'full', reply })
      const { thrown, selection } = await runStrategy(composed, model, { options, prompts: 'full' })
      assertWithinWorstCase(composed, options, model)
      if (thrown !== undefined) {
        assert.ok(thrown instanceof RefineError && thrown.code === 'all_candidates_failed')
        return
      }
      assert.ok(selection !== undefined)
      completed++
    },
  )
  await fc.assert(property, { numRuns: 400 })
  assert.ok(completed > 40, `${completed} compositions completed`)
})

test('every kind of every part can be part of a composition', () => {
  const partners: Readonly<Record<string, object>> = {
    magicore: { scorer: { kind: 'chain-reward' }, updater: { kind: 'rewrite' } },
  }
  const usual = { scorer: { kind: 'judge' }, updater: { kind: 'rewrite' } }
  for (const { name, kinds } of [SAMPLER, GATE, SCORER, UPDATER, SELECTOR, STOPPER]) {
    for (const kind of Object.keys(kinds)) {
      const given: Readonly<Record<string, object>> = {
        models: { models: ['one'] },
        any: { of: [{ kind: 'beta' }] },
        all: { of: [{ kind: 'beta' }, { kind: 'stagnation' }] },
      }
      const chosen = { kind, ...given[kind] }
      const options = { ...usual, ...partners[kind], [name]: chosen }
      assert.equal(refusalOf(options), undefined, `${name} ${kind}`)
      assert.ok(composed.worstCase({ promptTokens: 10, maxTokens: 10 }, options).length > 0)
    }
  }
})
