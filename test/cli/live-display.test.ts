import test from 'node:test'
import assert from 'node:assert/strict'
import { LiveDisplay } from '../../src/cli/live-display.ts'
import { createView, showEvent } from '../../src/cli/run-view.ts'
import { RUN, capture } from './fixtures.ts'

const framesOf = (text: string): string[] => text.split('\u001b[H').slice(1)

test('however many events come, at most twenty frames a second are drawn', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stream = capture({ columns: 80, rows: 24 })
  const view = createView('q')
  const display = new LiveDisplay(stream, view, false)
  for (const event of RUN) {
    showEvent(view, event)
    display.update()
  }
  assert.equal(framesOf(stream.text()).length, 1)
  t.mock.timers.tick(50)
  assert.equal(framesOf(stream.text()).length, 2)
  assert.match(framesOf(stream.text())[1]!, /completed \(threshold\)/)
  t.mock.timers.tick(500)
  assert.equal(framesOf(stream.text()).length, 2)
  display.close()
})

test('a resize draws the view anew for the size it has then, until it is closed', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stream = capture({ columns: 80, rows: 24 })
  const view = createView('a question of more than twenty cells')
  const display = new LiveDisplay(stream, view, false)
  t.mock.timers.tick(50)
  stream.columns = 20
  stream.emit('resize')
  assert.match(framesOf(stream.text())[1]!, /^a question of more …/)
  display.close()
  stream.emit('resize')
  t.mock.timers.tick(100)
  assert.equal(framesOf(stream.text()).length, 2)
})
