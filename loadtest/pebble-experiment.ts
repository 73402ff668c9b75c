/**
 * Which of two ways to use the embedded model is worth its cost, asked as an outsider would: an experiment over REST,
 * questions through an unmodified OpenAI client, correctness as feedback.
 * `node dist/loadtest/pebble-experiment.js [seconds] [at a time] [report.html]`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import OpenAI from 'openai'
import { buildServer, openRuns } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { answerOf } from '../src/core/answer.ts'
import { createRandom, type Random } from '../src/core/random.ts'
import type { ExperimentResults } from '../src/experiments/results-schema.ts'
import { createLog } from '../src/telemetry/log.ts'
import { work } from '../test/experiments/load.ts'

const seconds = Number(process.argv[2] ?? 300)
const width = Number(process.argv[3] ?? 8)
const page = process.argv[4]

const EXPERIMENT = {
  key: 'refiners',
  status: 'running',
  hypothesis: 'Several drafts, reviewed by step scores, beat one draft that is refined.',
  arms: [
    { name: 'self-refine', weight: 0.5, strategy: 'self-refine', model: 'pebble' },
    {
      name: 'solver-reviewer-refiner',
      weight: 0.5,
      strategy: 'solver-reviewer-refiner',
      model: 'pebble',
    },
  ],
  metrics: [
    { name: 'correct', type: 'boolean', direction: 'up', primary: true },
    { name: 'auto.tokens', type: 'number', direction: 'down' },
    { name: 'auto.seconds', type: 'number', direction: 'down' },
    { name: 'auto.failed', type: 'boolean', direction: 'down', margin: 0.05 },
  ],
  stop: { minimum_units: 50, tuned_for: 400 },
}

interface Problem {
  readonly text: string
  readonly answer: number
}

const THINGS = ['pens', 'apples', 'coins', 'books', 'cards']

/** A word problem of one or two steps, of the kind the model was made for: it knows most of the short ones. */
const problemOf = (random: Random): Problem => {
  const [a, more, times, fewer] = [
    2 + random.integer(15),
    2 + random.integer(9),
    2 + random.integer(3),
    1 + random.integer(2),
  ]
  const thing = THINGS[random.integer(THINGS.length)]!
  if (random.next() < 0.6) {
    const text = `Ann has ${a} ${thing}. Ben has ${more} more ${thing} than Ann. How many ${thing} does Ben have?`
    return { text, answer: a + more }
  }
  const start = `Ann has ${a} ${thing}. Ben has ${times} times as many ${thing} as Ann.`
  if (random.next() < 0.5) {
    const text = `${start} Cara has ${fewer} fewer ${thing} than Ben. How many ${thing} do Cara and Ann have together?`
    return { text, answer: a * times - fewer + a }
  }
  const text = `${start} Cara has ${more} more ${thing} than Ben. How many ${thing} does Cara have?`
  return { text, answer: a * times + more }
}

const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-pebble-'))
const settings = loadConfig({ data: path.join(folder, 'data'), port: '0' }, {})
const log = createLog({ level: 'error' })
const opened = await openRuns(settings, log, () => undefined)
const server = await buildServer(opened, settings, log, '0.0.0')
const url = await server.listen({ port: 0, host: '127.0.0.1' })
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })

const post = (where: string, body: object): Promise<Response> =>
  fetch(url + where, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const resultsNow = async (): Promise<ExperimentResults> =>
  (await (await fetch(`${url}/v1/experiments/refiners/results`)).json()) as ExperimentResults

/** Asks one question as a user of its own and reports whether the answer is right. */
const ask = async (unit: number): Promise<void> => {
  const problem = problemOf(createRandom(1000 + unit))
  const completion = await client.chat.completions.create({
    model: 'experiment:refiners',
    messages: [{ role: 'user', content: problem.text }],
    user: `user-${unit}`,
  })
  const text = completion.choices[0]?.message.content ?? ''
  const { refine } = completion as unknown as { readonly refine: { readonly run_id: string } }
  const value = Number(answerOf(text)) === problem.answer
  const said = await post(`/v1/runs/${refine.run_id}/feedback`, {
    metric: 'correct',
    value,
    source: 'answer-key',
  })
  if (!said.ok) throw new Error(await said.text())
}

try {
  const created = await post('/v1/experiments', EXPERIMENT)
  if (!created.ok) throw new Error(await created.text())
  await opened.runs.ready()
  const start = performance.now()
  let isDecided = false
  const isOver = (): boolean => isDecided || performance.now() - start > seconds * 1000
  await work(width, 0, isOver, async (unit) => {
    await ask(unit)
    if (unit % 25 === 0) isDecided = (await resultsNow()).decision.status === 'decided'
  })
  const results = await resultsNow()
  const rows = results.arms.map(({ name, exposures, metrics }) => ({
    arm: name,
    exposures,
    correct: metrics['correct']!.mean,
    interval: metrics['correct']!.interval,
    difference_at_all_looks: metrics['correct']!.interval_anytime,
    p_anytime: metrics['correct']!.p_anytime,
    tokens: metrics['auto.tokens']!.mean,
    seconds: metrics['auto.seconds']!.mean,
  }))
  const { decision, srm } = results
  const verdict = { status: decision.status, action: decision.action, arm: decision.arm }
  process.stdout.write(
    `${JSON.stringify({ arms: rows, srm: srm.p, ...verdict, reason: decision.reason }, null, 2)}\n`,
  )
  if (page !== undefined) {
    writeFileSync(page, await (await fetch(`${url}/v1/experiments/refiners/report`)).text())
  }
} finally {
  await server.close()
  await opened.close()
  rmSync(folder, { recursive: true, force: true })
}
