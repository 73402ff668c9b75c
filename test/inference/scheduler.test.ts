import assert from 'node:assert/strict'
import test from 'node:test'
import type { EngineEvent, GenerateWork } from '../../src/inference/protocol.ts'
import { Scheduler, type SchedulerSettings } from '../../src/inference/scheduler.ts'
import { bytesPerToken } from '../../src/inference/cache/cache-shape.ts'
import { generateWork, loadDecoder, reference, samplingParameters } from './model-fixture.ts'

const { decoder, vocabulary } = await loadDecoder()
const PROMPT = Int32Array.from(reference('solve').ids)
const ANSWER = reference('solve').greedy_text
const BYTES = bytesPerToken(decoder.memory.shape)

/** A scheduler on this thread, with the events it has posted. */
const start = (settings: Partial<SchedulerSettings> = {}) => {
  const events: EngineEvent[] = []
  decoder.runs.length = 0
  const all = {
    maxRows: 8,
    cacheBytes: 2 ** 30,
    promptBytes: 2 ** 27,
    prefillTokens: 32,
    threads: 1,
    ...settings,
  }
  const scheduler = new Scheduler(decoder, vocabulary, all, (posted) => events.push(...posted))
  return { scheduler, events }
}

const textsOf = (events: readonly EngineEvent[], id: number): string[] => {
  const texts: string[] = []
  for (const event of events)
    if (event.id === id && event.type === 'chunk' && event.chunk.type === 'delta')
      texts[event.chunk.sample] = (texts[event.chunk.sample] ?? '') + event.chunk.text
  return texts
}

/** Ids of the calls in the order in which their samples finished. */
const finished = (events: readonly EngineEvent[]): number[] =>
  events.flatMap((event) =>
    event.type === 'chunk' && event.chunk.type === 'finish' ? [event.id] : [],
  )

const answers = async (works: readonly GenerateWork[], settings?: Partial<SchedulerSettings>) => {
  const { scheduler, events } = start(settings)
  for (const [id, work] of works.entries()) scheduler.generate(id, work)
  await scheduler.run()
  return works.map((_, id) => textsOf(events, id))
}

const drawn = samplingParameters({ temperature: 1.2, maxTokens: 40 })
const work = (changes: Partial<GenerateWork> = {}): GenerateWork =>
  generateWork({ prompt: PROMPT, ...changes })

test('samples that are put back for want of memory end as they would have ended', async () => {
  // Hot enough that hardly any ends by itself.
  const sampling = samplingParameters({ temperature: 20, maxTokens: 150 })
  const works = [1, 2, 3].map((seed) => work({ samples: 3, sampling, seed }))
  const expected = await answers(works)
  const computed = decoder.promptTokens
  // Room for all while they are short, not when they have grown.
  assert.deepEqual(await answers(works, { cacheBytes: 9 * (PROMPT.length + 66) * BYTES }), expected)
  assert.ok(decoder.promptTokens > 2 * computed, `${decoder.promptTokens} ${computed}`)
})

test('an interactive call takes the place of background samples, which go on afterwards', async () => {
  const background = work({ samples: 4, sampling: drawn, priority: 'background' })
  const expected = await answers([background, work()])
  const { scheduler, events } = start({ maxRows: 4 })
  scheduler.generate(0, background)
  const running = scheduler.run()
  while (textsOf(events, 0).length < 4) await new Promise(setImmediate)
  scheduler.generate(1, work({ sampling: samplingParameters({ maxTokens: 5 }) }))
  await running
  assert.equal(finished(events)[0], 1)
  assert.deepEqual(textsOf(events, 0), expected[0])
})

test('a call with many samples does not keep one with few waiting', async () => {
  const { scheduler, events } = start({ maxRows: 4 })
  const sampling = samplingParameters({ maxTokens: 8 })
  scheduler.generate(0, work({ samples: 24, sampling }))
  scheduler.generate(1, work({ samples: 2, sampling }))
  await scheduler.run()
  assert.ok(finished(events).lastIndexOf(1) < 12, finished(events).join())
})

test('a short prompt does not wait for a long one to be computed', async () => {
  const { scheduler, events } = start()
  const long = Int32Array.from({ length: 900 }, (_, index) => PROMPT[index % PROMPT.length]!)
  const sampling = samplingParameters({ maxTokens: 2 })
  scheduler.generate(0, work({ prompt: long, sampling }))
  scheduler.generate(1, work({ sampling }))
  await scheduler.run()
  assert.deepEqual(finished(events), [1, 0])
})

test('no run between two tokens computes more of a prompt than was set', async () => {
  const { scheduler } = start({ prefillTokens: 16 })
  const sampling = samplingParameters({ maxTokens: 60 })
  scheduler.generate(0, work({ sampling }))
  const running = scheduler.run()
  while (decoder.runs.filter(({ length }) => length === 1).length < 2)
    await new Promise(setImmediate)
  const before = decoder.runs.length
  scheduler.generate(
    1,
    work({ prompt: Int32Array.from({ length: 300 }, () => PROMPT[1]!), sampling }),
  )
  await running
  const after = decoder.runs.slice(before)
  const lastChunk = after.findLastIndex(({ length }) => length > 1)
  for (const [index, { rows, length }] of after.slice(0, lastChunk).entries())
    if (length > 1) {
      assert.ok(rows * length <= 16, `${rows} ${length}`)
      assert.equal(after[index + 1]!.length, 1, 'a decode step follows each chunk')
    }
})

test('texts scored after one question cost the question once and themselves once, in few runs', async () => {
  const { scheduler, events } = start({ prefillTokens: 256 })
  const question = Array.from({ length: 200 }, (_, index) => PROMPT[index % PROMPT.length]!)
  const candidates = Array.from({ length: 8 }, (_, index) =>
    Array.from({ length: 20 }, () => 100 + index),
  )
  for (const [id, candidate] of candidates.entries())
    scheduler.score(id, {
      wanted: 'log_probabilities',
      tokens: Int32Array.from([...question, ...candidate]),
      positions: Int32Array.from(candidate, (_, index) => question.length - 1 + index),
      targets: Int32Array.from(candidate),
      columns: 1,
    })
  await scheduler.run()
  assert.equal(events.filter(({ type }) => type === 'scored').length, 8)
  // The last token of the question is computed anew with each text: its successor is the first that is scored.
  assert.ok(decoder.promptTokens <= 220 + 8 * 21, `${decoder.promptTokens}`)
  assert.ok(decoder.runs.length <= 3, `${decoder.runs.length}`)
})

const OBJECT = {
  type: 'object',
  properties: {
    answer_in_words: { enum: ['seventeen and a half', 'eighteen'] },
    is_certain: { type: 'boolean' },
  },
  required: ['answer_in_words', 'is_certain'],
} as const

test('what a constraint leaves no choice about is computed in fewer runs, with the same text', async () => {
  const constraint = { type: 'json_schema', schema: OBJECT } as const
  for (const samples of [1, 6]) {
    const call = work({ samples, constraint, sampling: drawn, seed: 3 })
    const [texts] = await answers([call])
    const runs = decoder.runs.slice()
    // Log-probabilities come with the computation of each token: nothing is taken ahead.
    const [expected] = await answers([{ ...call, topLogProbabilities: 0 }])
    assert.deepEqual(texts, expected)
    for (const text of texts!) assert.match(text, /^\{"answer_in_words": ?"[a-z ]+", ?"is_certain"/)
    assert.ok(runs.length * 2 < decoder.runs.length, `${runs.length} ${decoder.runs.length}`)
  }
})

test('rows with several tokens to compute run beside rows with one, and all end as they do alone', async () => {
  const constraint = { type: 'json_schema', schema: OBJECT } as const
  const works = [
    work({ constraint, sampling: drawn, seed: 3 }),
    work({ constraint, sampling: drawn, seed: 4, prompt: PROMPT.slice(0, 40) }),
    work({ sampling: samplingParameters({ maxTokens: 30 }) }),
  ]
  const alone = []
  for (const each of works) alone.push((await answers([each]))[0])
  assert.deepEqual(await answers(works), alone)
  assert.ok(decoder.runs.some(({ rows, length }) => rows === 3 && length > 1))
})

test('what all samples begin with is computed once, with the prompt', async () => {
  const constraint = { type: 'regex', pattern: 'The answer, which took a while: \\d' } as const
  await answers([work({ samples: 6, constraint, sampling: drawn })])
  assert.equal(decoder.runs[0]!.rows, 1)
  assert.deepEqual(decoder.runs.slice(1), [{ rows: 6, length: 1 }])
})

test('a text that is certain as a whole needs no step at all', async () => {
  const constraint = { type: 'choice', choices: ['yes and no'] } as const
  const [texts] = await answers([work({ samples: 3, constraint })])
  assert.deepEqual(texts, ['yes and no', 'yes and no', 'yes and no'])
  assert.ok(decoder.runs.every(({ rows }) => rows === 1))
})

test('a sample that is free up to an opening writes what it would have written until then', async () => {
  const lineBreak = ANSWER.indexOf('\n') + 1
  const opening = ANSWER.slice(lineBreak, lineBreak + 3)
  const constraint = {
    type: 'sequence',
    parts: [
      { type: 'text', text: `${opening}!` },
      { type: 'regex', pattern: '[a-f]{4}' },
    ],
  } as const
  const openings = [{ text: `\n${opening}`, atStart: false }]
  const held = {
    ...constraint,
    parts: [{ type: 'text', text: '\n' } as const, ...constraint.parts],
  }
  const [[text]] = (await answers([work({ constraint: held, openings })])) as [[string]]
  assert.equal(text.slice(0, lineBreak + 3), ANSWER.slice(0, lineBreak + 3))
  assert.match(text.slice(lineBreak + 3), /^![a-f]{4}$/)
})

test('forced tokens count towards max_tokens and end at stop strings', async () => {
  const constraint = { type: 'choice', choices: ['yes and no and maybe'] } as const
  const short = samplingParameters({ maxTokens: 3 })
  const [[cut]] = (await answers([work({ constraint, sampling: short })])) as [[string]]
  assert.ok('yes and no and maybe'.startsWith(cut) && cut.length < 20, cut)
  const stopped = samplingParameters({ stop: [' no'] })
  assert.deepEqual(await answers([work({ constraint, sampling: stopped })]), [['yes and']])
})

test('verdicts of one token on eight candidates cost the question once and one step', async () => {
  const question = Array.from({ length: 200 }, (_, index) => PROMPT[index % PROMPT.length]!)
  const verdict = (index: number): GenerateWork =>
    work({
      prompt: Int32Array.from([...question, ...Array.from({ length: 20 }, () => 100 + index), 7]),
      sampling: samplingParameters({ maxTokens: 1 }),
      topLogProbabilities: 20,
    })
  const { scheduler, events } = start({ prefillTokens: 256 })
  for (let id = 0; id < 8; id++) scheduler.generate(id, verdict(id))
  await scheduler.run()
  assert.equal(finished(events).length, 8)
  assert.ok(decoder.promptTokens <= 220 + 8 * 21, `${decoder.promptTokens}`)
  const steps = decoder.runs.filter(({ length }) => length === 1)
  assert.ok(steps.length <= 2, JSON.stringify(decoder.runs))
})

test('a sample that is cancelled leaves before the next step', async () => {
  const { scheduler, events } = start()
  scheduler.generate(0, work({ samples: 4, sampling: { ...drawn, maxTokens: 400 } }))
  scheduler.generate(1, work())
  const running = scheduler.run()
  while (textsOf(events, 0).length < 4) await new Promise(setImmediate)
  scheduler.cancel(0)
  const [steps, known] = [decoder.runs.length, events.length]
  await running
  assert.ok(decoder.runs.slice(steps + 1).every(({ rows }) => rows === 1))
  assert.ok(!events.slice(known).some(({ id }) => id === 0))
  assert.deepEqual(textsOf(events, 1), [ANSWER])
})

test('after thousands of sequences nothing is held that was not held before', async () => {
  const { scheduler, events } = start({ maxRows: 64, cacheBytes: 70 * 40 * BYTES })
  const sampling = samplingParameters({ temperature: 1, maxTokens: 3, presencePenalty: 1 })
  const constraint = { type: 'regex', pattern: '[a-z0-9 ]+' } as const
  for (let round = 0, id = 0; round < 8; round++) {
    for (let call = 0; call < 40; call++, id++) {
      const prompt = PROMPT.slice(0, 3 + (id % 20))
      scheduler.generate(
        id,
        work({ prompt, samples: 8, sampling, seed: id, ...(id % 4 === 0 && { constraint }) }),
      )
      if (id % 7 === 0) scheduler.cancel(id)
    }
    await scheduler.run()
    scheduler.cancel(id)
    await scheduler.run()
    events.length = 0
    for (const [name, count] of Object.entries(scheduler.held)) assert.equal(count, 0, name)
  }
})

test('what is computed beside a sample moves its log-probabilities by 1e-5 at most', async () => {
  const likelihoods = async (works: readonly GenerateWork[]): Promise<number[]> => {
    const { scheduler, events } = start({ maxRows: 24 })
    for (const [id, each] of works.entries()) scheduler.generate(id, each)
    await scheduler.run()
    return events.flatMap(({ id, ...event }) =>
      id === 0 && event.type === 'chunk' && event.chunk.type === 'delta' && event.chunk.sample === 0
        ? (event.chunk.tokens ?? []).map(({ logProbability }) => logProbability)
        : [],
    )
  }
  const one = work({ sampling: drawn, topLogProbabilities: 0 })
  const other = work({
    prompt: Int32Array.from(reference('review').ids),
    samples: 9,
    sampling: drawn,
    seed: 2,
  })
  const alone = await likelihoods([one])
  for (const company of [
    [one, other],
    [{ ...one, samples: 3 }],
    [{ ...one, samples: 12 }, other],
  ]) {
    const beside = await likelihoods(company)
    assert.equal(beside.length, alone.length)
    for (const [index, value] of alone.entries())
      assert.ok(Math.abs(value - beside[index]!) <= 1e-5, `${value} ${beside[index]}`)
  }
})
