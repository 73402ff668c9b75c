import assert from 'node:assert/strict'
import test, { after } from 'node:test'
import { Engine } from '../../src/inference/engine.ts'
import type { GenerateWork } from '../../src/inference/protocol.ts'
import { FOLDER, generateWork, never, reference } from './model-fixture.ts'

const engine = new Engine({ folder: FOLDER, threads: 1 })
after(() => engine.close())

const work = (prompt: readonly number[]): GenerateWork =>
  generateWork({ prompt: Int32Array.from(prompt) })

const answer = async (prompt: readonly number[], signal = never): Promise<string> => {
  let text = ''
  for await (const chunk of engine.generate(work(prompt), signal))
    if (chunk.type === 'delta') text += chunk.text
  return text
}

const { ids, greedy_text: expected } = reference('solve')

test('a run that fails ends the calls in flight as model_failed, and the next call starts anew', async () => {
  const impossible = [...ids.slice(0, 5), 1_000_000]
  const [failed, beside] = await Promise.allSettled([answer(impossible), answer(impossible)])
  for (const result of [failed, beside]) {
    assert.equal(result.status, 'rejected')
    assert.equal((result.reason as { code: string }).code, 'model_failed')
  }
  assert.equal(await answer(ids), expected)
})

test('a prompt of a single token is answered', async () => {
  assert.equal(typeof (await answer([7])), 'string')
})

test('a call aborted while the model is loading throws at once', async () => {
  const loading = new Engine({ folder: FOLDER, threads: 1 })
  const controller = new AbortController()
  const reason = new Error('gone')
  const call = loading.generate(work(ids), controller.signal).next()
  controller.abort(reason)
  await assert.rejects(call, reason)
  await loading.close()
})

test('closing a model that is being loaded does not wait for it', async () => {
  const loading = new Engine({ folder: FOLDER, threads: 1 })
  const ready = assert.rejects(loading.ready(), { code: 'shutting_down' })
  await loading.close()
  await ready
})

test('closing while the model is loading ends the calls that wait for it', async () => {
  const loading = new Engine({ folder: FOLDER, threads: 1 })
  const call = assert.rejects(loading.generate(work(ids), never).next(), { code: 'shutting_down' })
  await loading.close()
  await call
})

test('samples for which there is no memory wait, and one always runs', async () => {
  const small = new Engine({ folder: FOLDER, threads: 1, cacheBytes: 1, promptBytes: 1 })
  const texts = await Promise.all(
    [1, 2].map(async () => {
      const found = ['', '']
      for await (const chunk of small.generate({ ...work(ids), samples: 2 }, never))
        if (chunk.type === 'delta') found[chunk.sample] += chunk.text
      return found
    }),
  )
  await small.close()
  assert.deepEqual(texts, [
    [expected, expected],
    [expected, expected],
  ])
})

test('an engine that never started closes at once', async () => {
  await new Engine({ folder: FOLDER }).close()
})

test('an engine closed in the middle of its work ends the calls and leaves the process alive', async () => {
  for (let round = 0; round < 5; round++) {
    const busy = new Engine({ folder: FOLDER, threads: 1 })
    const work = generateWork({ prompt: Int32Array.from(reference('solve').ids), samples: 24 })
    const reading = (async () => {
      for await (const chunk of busy.generate(work, never))
        if (chunk.type === 'delta') void busy.close()
    })()
    await assert.rejects(reading, { code: 'shutting_down' })
    await busy.close()
  }
})
