import assert from 'node:assert/strict'
import test from 'node:test'
import { createPause } from '../../src/models/scripted/pause.ts'
import { NEVER } from './upstream.ts'

test('a wait that ended late makes the next one shorter, and one that is far behind starts anew', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const pause = createPause(NEVER)
  /** Milliseconds from now in which the wait ends, looked at one by one. */
  const length = async (wait: Promise<void>): Promise<number> => {
    let isOver = false
    void wait.then(() => (isOver = true))
    for (let passed = 0; ; passed++) {
      await Promise.resolve()
      if (isOver) return passed
      t.mock.timers.tick(1)
    }
  }
  assert.equal(await length(pause.wait(50)), 50)
  // The stream is served 20 ms late.
  t.mock.timers.tick(20)
  assert.equal(await length(pause.wait(50)), 30)
  t.mock.timers.tick(500)
  assert.equal(await length(pause.wait(50)), 1)
  assert.equal(await length(pause.wait(50)), 49)
  pause.close()
})
