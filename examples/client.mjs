// Whetstone's own client: typed events as they happen, resumed by itself when the connection breaks.
// Usage: node examples/client.mjs [base URL] [model]
import { collectRun, createClient } from 'whetstone/client'
import { WebSocket } from 'ws' // Node 20 has none of its own; browsers and Node 22 do

const [baseUrl = 'http://127.0.0.1:8080', model = 'pebble'] = process.argv.slice(2)
const client = createClient({ baseUrl, WebSocket })
const input = 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?'

// One run, every event. Breaking off the loop cancels the run.
for await (const event of client.runs.stream({ input, model, strategy: 'self-refine' })) {
  if (event.type === 'critique.completed') console.error(`critique: ${event.text}`)
  if (event.type === 'answer.revised') console.error(`revision ${event.revision}: ${event.text}`)
  if (event.type === 'run.completed') console.error(`ended: ${event.stop_reason}`)
}

// Several at once on one WebSocket; `collectRun` folds the events of each into the run.
const socket = client.socket()
const strategies = ['single', 'best-of-n', 'self-consistency']
const runs = await Promise.all(
  strategies.map((strategy) => collectRun(socket.stream({ input, model, strategy, seed: 7 }))),
)
socket.close()
for (const { strategy, usage, answer } of runs) {
  console.log(`${strategy}: ${usage.calls} calls, ${answer.text.split('\n').at(-1)}`)
}
