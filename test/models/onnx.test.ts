import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import test, { after } from 'node:test'
import { messageText } from '../../src/core/conversation.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { GenerationChunk } from '../../src/core/language-model.ts'
import { createOnnxModel } from '../../src/models/onnx.ts'
import {
  collect,
  FOLDER,
  GREEDY_TOKENS,
  never,
  reference,
  REFERENCE,
  STEP_MARKS,
} from '../inference/model-fixture.ts'

// One thread: other test files run beside this one, and threads that spin for work would take theirs.
const options = {
  id: 'small',
  folder: FOLDER,
  prompts: 'compact',
  stepMarks: STEP_MARKS,
  threads: 1,
} as const
/** One engine for all tests: they run one after the other, and it must not matter what came before. */
const model = createOnnxModel({ ...options, maxRows: 24, prefillTokens: 32 })
after(() => model.close())

const solve = reference('solve')
/** `<|im_end|>`. */
const END = 2
const hasCode =
  (code: string, message = /./) =>
  (error: unknown): boolean =>
    error instanceof RefineError && error.code === code && message.test(error.message)

/** Drawn at a high temperature, so that two samples that should differ do. */
const sampled = { temperature: 3, max_tokens: 40 }

for (const { name, messages, ids, greedy_ids, greedy_text } of REFERENCE)
  test(`the ${name} prompt has the reference's tokens and greedy answer`, async () => {
    assert.equal(model.countTokens(messages), ids.length)
    const { texts, chunks, finishes } = await collect(model, { messages })
    assert.equal(texts[0], greedy_text)
    assert.deepEqual(finishes, [
      {
        type: 'finish',
        sample: 0,
        reason:
          greedy_ids.at(-1) === END
            ? { unified: 'stop', raw: 'end_token' }
            : { unified: 'length', raw: 'max_tokens' },
        outputTokens: greedy_ids.length,
      },
    ])
    const usages = chunks.filter((chunk) => chunk.type === 'usage')
    assert.equal(usages.length, 1)
    assert.equal(usages[0]!.inputTokens, ids.length)
  })

test('many samples of one prompt, greedily, all give the single answer', async () => {
  const { texts } = await collect(model, { messages: solve.messages, samples: 12 })
  assert.deepEqual(
    texts,
    texts.map(() => solve.greedy_text),
  )
})

test('prompts of all lengths at once give the answers that they give alone', async () => {
  const all = await Promise.all(
    [...REFERENCE, ...REFERENCE].map(({ messages }) => collect(model, { messages })),
  )
  assert.deepEqual(
    all.map(({ texts }) => texts[0]),
    [...REFERENCE, ...REFERENCE].map(({ greedy_text }) => greedy_text),
  )
})

test('samples that share a prompt go on as before when another call joins them', async () => {
  const first = model.generate(
    { messages: solve.messages, samples: 6, sampling: { temperature: 0 }, seed: 1 },
    { signal: never },
  )
  let joined: Promise<unknown> | undefined
  const texts = Array.from({ length: 6 }, () => '')
  for await (const chunk of first) {
    if (chunk.type !== 'delta') continue
    texts[chunk.sample] += chunk.text
    joined ??= collect(model, { messages: reference('review').messages }).then((other) =>
      assert.equal(other.texts[0], reference('review').greedy_text),
    )
  }
  await joined
  assert.deepEqual(
    texts,
    texts.map(() => solve.greedy_text),
  )
})

test('more samples than rows wait for their turn and all end', async () => {
  const request = { messages: solve.messages, samples: 60, sampling: sampled, seed: 3 }
  const { finishes, texts } = await collect(model, request)
  assert.deepEqual(
    finishes.map(({ sample }) => sample).toSorted((left, right) => left - right),
    Array.from({ length: 60 }, (_, index) => index),
  )
  assert.ok(new Set(texts).size > 30)
})

test('a seed gives the same texts whatever else is computed beside it', async () => {
  const request = { messages: solve.messages, samples: 3, sampling: sampled, seed: 11 }
  const alone = await collect(model, request)
  const [again, other, wider] = await Promise.all([
    collect(model, request),
    collect(model, { ...request, seed: 12 }),
    collect(model, { ...request, samples: 9 }),
    collect(model, { messages: reference('review').messages, samples: 5, sampling: sampled }),
  ])
  assert.deepEqual(again.texts, alone.texts)
  assert.deepEqual(wider.texts.slice(0, 3), alone.texts)
  assert.notDeepEqual(other.texts, alone.texts)
  assert.equal(new Set(alone.texts).size, 3)
})

test('top_k of 1 and a tiny top_p take the likeliest token at any temperature', async () => {
  for (const truncation of [{ top_k: 1 }, { top_p: 1e-6 }, { top_k: 5, top_p: 1e-6 }]) {
    const sampling = { temperature: 2, max_tokens: GREEDY_TOKENS, ...truncation }
    const { texts } = await collect(model, { messages: solve.messages, sampling })
    assert.equal(texts[0], solve.greedy_text)
  }
})

test('a stop string ends the text before it, or behind it when kept', async () => {
  const answer = solve.greedy_text
  // From within a line into the next one: it begins and ends inside of tokens' texts.
  const lineBreak = answer.indexOf('\n', 20)
  const stop = answer.slice(lineBreak - 1, lineBreak + 4)
  const before = answer.slice(0, answer.indexOf(stop))
  const sampling = { temperature: 0, stop: [stop] }
  const dropped = await collect(model, { messages: solve.messages, sampling })
  assert.equal(dropped.texts[0], before)
  assert.equal(dropped.finishes[0]!.reason.unified, 'stop')
  assert.equal(dropped.finishes[0]!.stopString, stop)
  const kept = await collect(model, { messages: solve.messages, sampling, keepStop: true })
  assert.equal(kept.texts[0], before + stop)
  const unmet = { temperature: 0, stop: ['\u2603'] }
  const whole = await collect(model, { messages: solve.messages, sampling: unmet })
  assert.ok(!('stopString' in whole.finishes[0]!))
})

test('max_tokens and the end of the context end a sample by length', async () => {
  const short = await collect(model, {
    messages: solve.messages,
    sampling: { temperature: 0, max_tokens: 5 },
  })
  assert.deepEqual(short.finishes[0]!.reason, { unified: 'length', raw: 'max_tokens' })
  assert.equal(short.finishes[0]!.outputTokens, 5)
  const messages = [{ role: 'user' as const, content: '東'.repeat(676) }]
  const room = model.contextLength! - model.countTokens(messages)
  assert.ok(room > 0 && room < 20, `${room}`)
  const full = await collect(model, { messages, sampling: { temperature: 1, stop: [] } })
  assert.ok(full.finishes[0]!.outputTokens <= room)
})

test('a prompt that does not fit the context is refused, however long it is', async () => {
  for (const count of [700, 100_000]) {
    const messages = [{ role: 'user' as const, content: '東'.repeat(count) }]
    await assert.rejects(collect(model, { messages }), hasCode('context_length_exceeded', /2048/))
    assert.ok(model.countTokens(messages) > 2048)
  }
})

test('an answer goes on from what is written already', async () => {
  const answer = solve.greedy_text
  const written = answer.slice(0, answer.indexOf('\n') + 1)
  const { texts } = await collect(model, { messages: solve.messages, continueFrom: written })
  assert.equal(written + texts[0], answer)
})

test('log-probabilities come token by token, with alternatives and their sum', async () => {
  const { texts, chunks, finishes } = await collect(model, {
    messages: solve.messages,
    topLogProbabilities: 3,
  })
  const tokens = chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))
  assert.equal(tokens.map(({ text }) => text).join(''), texts[0])
  for (const { text, logProbability, alternatives } of tokens) {
    assert.equal(alternatives.length, 3)
    assert.equal(alternatives[0]!.text, text)
    assert.equal(alternatives[0]!.logProbability, logProbability)
    assert.ok(alternatives[0]!.logProbability >= alternatives[1]!.logProbability)
  }
  const sum = tokens.reduce((total, { logProbability }) => total + logProbability, 0)
  // The end token counts as well, and has no text.
  assert.equal(finishes[0]!.outputTokens, tokens.length + 1)
  assert.ok(finishes[0]!.logProbability! <= sum)
})

test('log-probabilities are of the distribution before temperature', async () => {
  const request = { messages: solve.messages, topLogProbabilities: 1 }
  const first = (chunks: readonly GenerationChunk[]): number =>
    chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))[0]!
      .alternatives[0]!.logProbability
  const cold = await collect(model, { ...request, sampling: { temperature: 0, max_tokens: 1 } })
  const hot = await collect(model, { ...request, sampling: { temperature: 3, max_tokens: 1 } })
  assert.ok(Math.abs(first(cold.chunks) - first(hot.chunks)) < 1e-4)
})

test('a text scores what its generation scored', async () => {
  const { chunks, texts } = await collect(model, {
    messages: solve.messages,
    topLogProbabilities: 0,
  })
  const tokens = chunks.flatMap((chunk) => (chunk.type === 'delta' ? (chunk.tokens ?? []) : []))
  const sum = tokens.reduce((total, { logProbability }) => total + logProbability, 0)
  const scored = await model.scoreText!(
    { messages: solve.messages, text: texts[0]! },
    { signal: never },
  )
  assert.equal(scored.tokens, tokens.length)
  assert.ok(Math.abs(scored.logProbability - sum) < 1e-3, `${scored.logProbability} ${sum}`)
})

const verify = [{ role: 'system', content: 'verify' } as const, solve.messages[1]!]
const solution = solve.greedy_text.split('\n')

test('step scores are what the model says at each mark, read one by one', async () => {
  const { steps } = await model.scoreSteps!(
    { messages: verify, steps: solution },
    { signal: never },
  )
  assert.equal(steps.length, solution.length)
  for (const [index, score] of steps.entries()) {
    assert.ok(score >= 0 && score <= 1)
    const before = solution.slice(0, index + 1).join('<|step|>\n')
    const continueFrom = `${before}<|step|>`
    const mark = async (text: string): Promise<number> => {
      const messages = [...verify]
      const whole = await model.scoreText!(
        { messages, text: continueFrom + text },
        { signal: never },
      )
      const start = await model.scoreText!({ messages, text: continueFrom }, { signal: never })
      return Math.exp(whole.logProbability - start.logProbability)
    }
    const [good, bad] = [await mark('<|good|>'), await mark('<|bad|>')]
    assert.ok(Math.abs(score - good / (good + bad)) < 1e-3, `step ${index}: ${score}`)
  }
})

test('many solutions are scored at once as they are one by one', async () => {
  const variants = Array.from({ length: 8 }, (_, index) => [
    `- Ben: 12 * ${index} = 36`,
    ...solution,
  ])
  const score = (steps: readonly string[]) =>
    model.scoreSteps!({ messages: verify, steps }, { signal: never })
  const together = await Promise.all(variants.map(score))
  const fresh = createOnnxModel(options)
  for (const [index, steps] of variants.entries()) {
    const alone = await fresh.scoreSteps!({ messages: verify, steps }, { signal: never })
    for (const [step, value] of alone.steps.entries())
      assert.ok(Math.abs(value - together[index]!.steps[step]!) < 1e-4)
  }
  await fresh.close()
})

test('a prompt that begins like an earlier one is partly found computed, with the same answer', async () => {
  const messages = [
    solve.messages[0]!,
    { ...solve.messages[1]!, content: `${messageText(solve.messages[1]!)} Tell me.` },
  ]
  const fresh = createOnnxModel(options)
  const [cold, warm] = [await collect(fresh, { messages }), await collect(model, { messages })]
  await fresh.close()
  const cached = ({ chunks }: typeof cold) =>
    chunks.flatMap((chunk) => (chunk.type === 'usage' ? [chunk.cachedTokens] : []))[0]!
  assert.equal(cached(cold), 0)
  assert.ok(cached(warm) > 40)
  assert.deepEqual(warm.texts, cold.texts)
})

test('an aborted call throws the reason at once and leaves the others alone', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const other = collect(model, { messages: reference('review').messages })
  const seen: GenerationChunk[] = []
  const call = async (): Promise<void> => {
    const request = { messages: solve.messages, samples: 8, sampling: { temperature: 1 }, seed: 5 }
    for await (const chunk of model.generate(request, { signal: controller.signal })) {
      seen.push(chunk)
      if (chunk.type === 'delta') controller.abort(reason)
      if (controller.signal.aborted) assert.ok(seen.length < 40)
    }
  }
  await assert.rejects(call(), reason)
  assert.equal((await other).texts[0], reference('review').greedy_text)
  await assert.rejects(collect(model, { messages: solve.messages }, controller.signal), reason)
})

test('a call that its reader leaves frees its rows', async () => {
  const request = { messages: solve.messages, samples: 24, sampling: { temperature: 1 }, seed: 5 }
  for await (const chunk of model.generate(request, { signal: never }))
    if (chunk.type === 'delta') break
  const { texts } = await collect(model, { messages: solve.messages, samples: 24 })
  assert.equal(texts.at(-1), solve.greedy_text)
})

test('the event loop stays free while samples are decoded', async (t) => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  const request = { messages: solve.messages, samples: 16, sampling: { temperature: 0.8 }, seed: 5 }
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  delay.enable()
  const { finishes } = await collect(model, request)
  delay.disable()
  clearInterval(ticking)
  const milliseconds = (delay.percentile(99) - 5e6) / 1e6
  t.diagnostic(`event loop delay, 99th percentile: ${milliseconds.toFixed(1)} ms`)
  // Told rather than asserted, as it measures the machine as well; timers at least must come through.
  assert.ok(turns >= Math.max(...finishes.map(({ outputTokens }) => outputTokens)) / 4)
})

test('a damaged checkpoint is refused by name until it is repaired', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'checkpoint-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(FOLDER, folder, { recursive: true })
  truncateSync(path.join(folder, 'model.safetensors'), 1_000_000)
  const damaged = createOnnxModel({ ...options, folder })
  await assert.rejects(damaged.ready(), hasCode('model_failed', /model\.safetensors.*cut off/))
  const call = collect(damaged, { messages: solve.messages })
  await assert.rejects(call, hasCode('model_failed', /cut off/))
  cpSync(path.join(FOLDER, 'model.safetensors'), path.join(folder, 'model.safetensors'))
  const { texts } = await collect(damaged, { messages: solve.messages })
  assert.equal(texts[0], solve.greedy_text)
  await damaged.close()
  rmSync(path.join(folder, 'tokenizer.json'))
  assert.throws(
    () => createOnnxModel({ ...options, folder }),
    hasCode('model_failed', /tokenizer\.json/),
  )
})

test('step marks that the tokenizer does not know are refused', () => {
  const stepMarks = { ...STEP_MARKS, good: '<|fine|>' }
  assert.throws(
    () => createOnnxModel({ ...options, stepMarks }),
    hasCode('model_failed', /<\|fine\|>/),
  )
  assert.equal(
    createOnnxModel({ id: 'plain', folder: FOLDER, prompts: 'compact' }).capabilities.step_scores,
    'none',
  )
})

test('closing ends calls in flight and refuses new ones', async () => {
  const closing = createOnnxModel(options)
  await closing.ready()
  const call = collect(closing, { messages: solve.messages, samples: 20, sampling: sampled })
  const ended = assert.rejects(call, hasCode('shutting_down'))
  await closing.close()
  await ended
  await assert.rejects(closing.ready(), hasCode('shutting_down'))
})
