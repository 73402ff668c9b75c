import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExperimentResults } from '../../src/experiments/results-schema.ts'
import { scriptedTruth } from '../../src/models/scripted.ts'
import { answerOf } from '../../src/core/answer.ts'
import { serve, workplace, type Call } from './server.ts'

const AB = {
  key: 'models',
  status: 'running',
  unit: 'user',
  arms: [
    { name: 'control', weight: 0.5, strategy: 'single', model: 'poor' },
    { name: 'treatment', weight: 0.5, strategy: 'single', model: 'good' },
  ],
  metrics: [
    { name: 'correct', type: 'boolean', direction: 'up', primary: true },
    { name: 'auto.tokens', type: 'number', direction: 'down', margin: 500 },
    { name: 'auto.seconds', type: 'number', direction: 'down', quantile: 0.5 },
  ],
  stop: { minimum_units: 30, tuned_for: 300 },
}

interface Run {
  readonly id: string
  readonly model: string
  readonly strategy: string
  readonly assignment: {
    arm: string
    reason: string
    propensity: number
    experiment: string
  } | null
  readonly answer: { readonly text: string }
}

const ask = async (call: Call, unit: string, more: object = {}): Promise<Run> => {
  const experiment = { key: 'models', unit }
  const { status, body } = await call('POST', '/v1/runs', {
    input: `What is the sum of case ${unit}?`,
    experiment,
    ...more,
  })
  assert.equal(status, 200, JSON.stringify(body))
  return body as unknown as Run
}

const resultsOf = async (call: Call): Promise<ExperimentResults> =>
  (await call('GET', '/v1/experiments/models/results')).body as unknown as ExperimentResults

const say = (call: Call, id: string, value: unknown, metric = 'correct') =>
  call('POST', `/v1/runs/${id}/feedback`, { metric, value, source: 'test' })

const asked = async (call: Call, unit: string): Promise<Run> => {
  const run = await ask(call, unit)
  const truth = String(scriptedTruth(`What is the sum of case ${unit}?`))
  assert.equal((await say(call, run.id, answerOf(run.answer.text) === truth)).status, 201)
  return run
}

test('the arm that answers better ships, over HTTP, with the evidence and its cost', async (t) => {
  const { call } = await serve(t)
  const created = await call('POST', '/v1/experiments', AB)
  assert.equal(created.status, 201)
  assert.equal(created.headers['etag'], '"1"')
  const units = Array.from({ length: 240 }, (_, index) => `user-${index}`)
  for (let at = 0; at < units.length; at += 24) {
    await Promise.all(units.slice(at, at + 24).map((unit) => asked(call, unit)))
  }
  const results = await resultsOf(call)
  const [control, treatment] = results.arms
  assert.equal(control!.exposures + treatment!.exposures, units.length)
  assert.equal(treatment!.metrics['correct']!.count, treatment!.exposures)
  assert.ok(treatment!.metrics['correct']!.mean! > control!.metrics['correct']!.mean!)
  assert.equal(results.srm.mismatched, false)
  assert.ok(treatment!.metrics['auto.tokens']!.mean! > 0)
  assert.equal(treatment!.metrics['auto.seconds']!.count, treatment!.exposures)
  assert.deepEqual(
    [results.decision.status, results.decision.action, results.decision.arm],
    ['decided', 'ship', 'treatment'],
  )
  const again = await resultsOf(call)
  assert.deepEqual(again.decision, results.decision, 'the decision stands as it was taken')

  const report = await call('GET', '/v1/experiments/models/report')
  const page = report.body['text'] as string
  assert.match(page, /Ship treatment/)
  assert.match(page, /<svg/)
  assert.match(page, /prefers-color-scheme: dark/)
  assert.doesNotMatch(page, /<script|https?:|url\(/)
  const colours = [...page.matchAll(/<span class="(c\d)">● treatment</g)].map(
    ([, colour]) => colour,
  )
  assert.ok(colours.length >= 3 && colours.every((colour) => colour === 'c1'), String(colours))

  const decided = await call(
    'PATCH',
    '/v1/experiments/models',
    { status: 'decided' },
    {
      'if-match': '"1"',
    },
  )
  assert.equal(decided.status, 200)
  const after = await ask(call, 'newcomer')
  assert.deepEqual([after.model, after.assignment!.reason], ['good', 'decided'])
})

test('a late or corrected feedback replaces the value before, and other names are only kept', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', AB)
  const run = await ask(call, 'one')
  const metric = async () => {
    const { arms } = await resultsOf(call)
    const { count, mean } = arms.find(({ name }) => name === run.assignment!.arm)!.metrics[
      'correct'
    ]!
    return [count, mean]
  }
  await say(call, run.id, true)
  assert.deepEqual(await metric(), [1, 1])
  await say(call, run.id, false)
  assert.deepEqual(await metric(), [1, 0])
  assert.equal((await say(call, run.id, 'lovely', 'mood')).status, 201)
  for (const [value, name, param] of [
    [1, 'correct', 'value'],
    ['yes', 'correct', 'value'],
    [1, 'auto.tokens', 'metric'],
  ] as const) {
    const { status, body } = await say(call, run.id, value, name)
    assert.deepEqual([status, (body['error'] as { param: string }).param], [400, param])
  }
  assert.deepEqual(await metric(), [1, 0])
})

test('what the experiment decides cannot be asked for, and the field is named', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', AB)
  for (const [more, param] of [
    [{ strategy: 'single' }, 'strategy'],
    [{ options: {} }, 'options'],
    [{ model: 'good' }, 'model'],
    [{ experiment: { key: 'nothing' } }, 'experiment.key'],
    [{ experiment: { key: 'models', variant: 'nobody' } }, 'experiment.variant'],
  ] as const) {
    const { status, body } = await call('POST', '/v1/runs', {
      input: 'What?',
      experiment: { key: 'models' },
      ...more,
    })
    assert.deepEqual([status, (body['error'] as { param: string }).param], [400, param])
  }
  const forced = await call('POST', '/v1/runs', {
    input: 'What?',
    experiment: { key: 'models', variant: 'treatment' },
  })
  assert.equal((forced.body as unknown as Run).assignment!.reason, 'forced')
  assert.equal((await resultsOf(call)).arms[1]!.exposures, 0, 'a forced run is in no comparison')
})

test('a change is a new version and needs the etag of the one it changes', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', { ...AB, coverage: 0.2 })
  const change = (body: object, tag?: string) =>
    call('PATCH', '/v1/experiments/models', body, tag === undefined ? {} : { 'if-match': tag })
  assert.equal((await change({ coverage: 1 })).status, 428)
  assert.equal((await change({ coverage: 1 }, '"7"')).status, 412)
  const changed = await change({ coverage: 1 }, '"1"')
  assert.deepEqual([changed.status, changed.headers['etag']], [200, '"2"'])
  assert.equal((await change({ coverage: 0.5 }, '"1"')).status, 412)
  assert.equal((await call('GET', '/v1/experiments/models')).body['coverage'], 1)
  const first = await call('GET', '/v1/experiments/models?version=1')
  assert.deepEqual([first.body['coverage'], first.headers['etag']], [0.2, '"1"'])
  const arms = [{ ...AB.arms[0], strategy: 'nothing' }, AB.arms[1]]
  const unknown = await change({ arms }, '"2"')
  assert.equal(unknown.status, 400)
  assert.equal((unknown.body['error'] as { param: string }).param, 'arms.0.strategy')
  const metrics = [{ name: 'auto.nothing', type: 'number', direction: 'up' }]
  const unmeasured = await change({ metrics }, '"2"')
  assert.equal((unmeasured.body['error'] as { param: string }).param, 'metrics.0.name')
  assert.equal((await call('GET', '/v1/experiments/none')).status, 404)
  const list = await call('GET', '/v1/experiments')
  assert.equal(list.body['first_id'], 'models')
})

test('a change that changes nothing makes no version', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', AB)
  for (const body of [{}, { unit: 'user' }, { coverage: 1 }]) {
    const { status, headers } = await call('PATCH', '/v1/experiments/models', body, {
      'if-match': '"1"',
    })
    assert.deepEqual([status, headers['etag']], [200, '"1"'])
  }
})

test('a salt that is taken up again goes on with what its phase was about, or not at all', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', AB)
  const change = (body: object) =>
    call('PATCH', '/v1/experiments/models', body, { 'if-match': '*' })
  const arms = [AB.arms[0], { ...AB.arms[1], strategy: 'best-of-n' }]
  assert.equal((await change({ salt: '2', arms })).status, 200)
  const back = await change({ salt: '1' })
  assert.deepEqual([back.status, (back.body['error'] as { param: string }).param], [400, 'salt'])
  assert.equal((await change({ salt: '1', arms: AB.arms })).status, 200)
  assert.equal((await change({ salt: '2' })).status, 400)
})

test('a ramp-up moves nobody to another arm, and an arm switched off gives its units the control', async (t) => {
  const { call } = await serve(t)
  await call('POST', '/v1/experiments', { ...AB, coverage: 0.3 })
  const units = Array.from({ length: 40 }, (_, index) => `u${index}`)
  const before = await Promise.all(units.map((unit) => ask(call, unit)))
  assert.ok(before.some(({ assignment }) => assignment!.reason === 'uncovered'))
  await call('PATCH', '/v1/experiments/models', { coverage: 1 }, { 'if-match': '*' })
  const after = await Promise.all(units.map((unit) => ask(call, unit)))
  for (const [index, { assignment }] of before.entries()) {
    if (assignment!.reason === 'assigned') assert.deepEqual(after[index]!.assignment, assignment)
  }
  const arms = [AB.arms[0], { ...AB.arms[1], killed: 'too slow' }]
  await call('PATCH', '/v1/experiments/models', { arms }, { 'if-match': '*' })
  const killed = await Promise.all(units.map((unit) => ask(call, unit)))
  const reasons = new Set(killed.map(({ assignment }) => assignment!.reason))
  assert.deepEqual([...reasons].toSorted(), ['assigned', 'killed'])
  assert.ok(killed.every(({ model }) => model === 'poor'))
})

test('an OpenAI client takes part by the name of a model, as the user it names', async (t) => {
  const { call, runs } = await serve(t)
  await call('POST', '/v1/experiments', AB)
  const models = (await call('GET', '/v1/models')).body['data'] as { id: string }[]
  assert.ok(models.some(({ id }) => id === 'experiment:models'))
  const arms = await Promise.all(
    ['What is 1 + 1?', 'What is 2 + 2?'].map(async (content) => {
      const reply = await call('POST', '/v1/chat/completions', {
        model: 'experiment:models',
        messages: [{ role: 'user', content }],
        user: 'ann',
      })
      assert.equal(reply.status, 200)
      const { run_id: id } = reply.body['refine'] as { run_id: string }
      return (await runs.get(id, '')).assignment!.arm
    }),
  )
  assert.equal(arms[0], arms[1], 'one user, one arm')
  assert.equal(
    (await resultsOf(call)).arms.reduce((sum, arm) => sum + arm.exposures, 0),
    1,
  )
})

test('a conversation keeps its arm, whether its turns are sent again or continued by id', async (t) => {
  const { call, runs } = await serve(t)
  await call('POST', '/v1/experiments', { ...AB, unit: 'conversation' })
  const armOf = async (id: string) =>
    (await runs.get(`run_${id.split('_')[1]}`, '')).assignment!.arm
  const arms = new Set<string>()
  for (let index = 0; index < 12; index++) {
    const input = `What is ${index} + 1?`
    const first = await call('POST', '/v1/responses', { model: 'experiment:models', input })
    const next = await call('POST', '/v1/responses', {
      model: 'experiment:models',
      input: 'And one more?',
      previous_response_id: first.body['id'],
    })
    const arm = await armOf(first.body['id'] as string)
    assert.equal(await armOf(next.body['id'] as string), arm)
    const messages = [
      { role: 'user', content: input },
      { role: 'assistant', content: 'So much.' },
      { role: 'user', content: 'And one less?' },
    ]
    const again = await call('POST', '/v1/runs', { messages, experiment: { key: 'models' } })
    assert.equal((again.body as unknown as Run).assignment!.arm, arm)
    arms.add(arm)
  }
  assert.equal(arms.size, 2)
  const { arms: counted } = await resultsOf(call)
  assert.equal(
    counted.reduce((sum, { exposures }) => sum + exposures, 0),
    12,
  )
})

const FILE = (coverage: number): string => `
experiments:
  - key: from-file
    status: running
    coverage: ${coverage}
    arms:
      - { name: a, weight: 0.5, strategy: single }
      - { name: b, weight: 0.5, strategy: self-refine }
    metrics: [{ name: auto.failed, type: boolean, direction: down, primary: true }]
`

test('the configuration file is applied when it says something new, and changes by others stand', async (t) => {
  const folder = workplace()
  const first = await serve(t, folder, FILE(0.1))
  assert.equal((await first.call('GET', '/v1/experiments/from-file')).body['version'], 1)
  await first.call('PATCH', '/v1/experiments/from-file', { coverage: 0.7 }, { 'if-match': '*' })
  await first.close()
  const second = await serve(t, folder, FILE(0.1))
  assert.equal((await second.call('GET', '/v1/experiments/from-file')).body['coverage'], 0.7)
  await second.close()
  const third = await serve(t, folder, FILE(0.5))
  const { body } = await third.call('GET', '/v1/experiments/from-file')
  assert.deepEqual([body['coverage'], body['version']], [0.5, 3])
})

test('the plan of an experiment comes without one', async (t) => {
  const { call } = await serve(t)
  const plan = { type: 'boolean', baseline: 0.42, effect: 0.05, units_per_day: 1000 }
  const { status, body } = await call('POST', '/v1/experiments/plan', plan)
  assert.equal(status, 200)
  assert.ok((body['fixed'] as { units: number }).units > 1000)
})
