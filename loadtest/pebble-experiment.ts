/**
 * Which of two ways to use the embedded model is worth its cost, asked as an outsider would: an experiment over REST,
 * questions of the usual test set, which leaves room between the two, through an unmodified OpenAI client, correctness as
 * feedback. Ends when the experiment is decided, or when the time is over; exit code 1 when it is
 * undecided then.
 * `node dist/loadtest/pebble-experiment.js [seconds] [at a time] [report.html]`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import OpenAI from 'openai'
import { buildServer, openRuns } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { answerOf } from '../src/core/answer.ts'
import { createRandom } from '../src/core/random.ts'
import { findDataSet, readDataSet, type Item } from '../src/evaluation/data-set.ts'
import type { ExperimentResults } from '../src/experiments/results-schema.ts'
import { createLog } from '../src/telemetry/log.ts'
import { work } from '../test/experiments/load.ts'

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const seconds = Number(process.argv[2] ?? 600)
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
    { name: 'auto.calls', type: 'number', direction: 'down' },
    { name: 'auto.failed', type: 'boolean', direction: 'down', margin: 0.05 },
  ],
  stop: { minimum_units: 100, tuned_for: 1000 },
}

/** Questions come in an order of chance, all of them before any comes again: every one is a user of its own. */
const questions = await readDataSet(await findDataSet('pebble:usual', ROOT))
const ORDER_SEED = 20261126
const questionOf = (unit: number): Item => {
  const round = Math.floor(unit / questions.length)
  const order = createRandom(ORDER_SEED + round).shuffle(questions)
  return order[unit % questions.length]!
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
  const { question, label } = questionOf(unit)
  const content = 'input' in question ? question.input : ''
  const completion = await client.chat.completions.create({
    model: 'experiment:refiners',
    messages: [{ role: 'user', content }],
    user: `user-${unit}`,
  })
  const text = completion.choices[0]?.message.content ?? ''
  const { refine } = completion as unknown as { readonly refine: { readonly run_id: string } }
  const value = answerOf(text) === label
  const said = await post(`/v1/runs/${refine.run_id}/feedback`, {
    metric: 'correct',
    value,
    source: 'answer-key',
  })
  if (!said.ok) throw new Error(await said.text())
}

const ratio = (of: number | null, by: number | null): number | null =>
  of === null || !by ? null : of / by

try {
  const created = await post('/v1/experiments', EXPERIMENT)
  if (!created.ok) throw new Error(await created.text())
  await opened.runs.ready('models')
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
    /** Of every right answer. */
    tokens_per_correct: ratio(metrics['auto.tokens']!.mean, metrics['correct']!.mean),
    seconds: metrics['auto.seconds']!.mean,
  }))
  const { decision, srm } = results
  const verdict = { status: decision.status, action: decision.action, arm: decision.arm }
  process.stdout.write(
    `${JSON.stringify({ arms: rows, srm: srm.p, ...verdict, reason: decision.reason }, null, 2)}\n`,
  )
  if (decision.status !== 'decided') process.exitCode = 1
  if (page !== undefined) {
    writeFileSync(page, await (await fetch(`${url}/v1/experiments/refiners/report`)).text())
  }
} finally {
  await server.close()
  await opened.close()
  rmSync(folder, { recursive: true, force: true })
}
