// Vercel's AI SDK: revisions as reasoning, the answer as text.
// Usage: node examples/ai-sdk.mjs [base URL] [model]
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'

const [url = 'http://127.0.0.1:8080', model = 'pebble'] = process.argv.slice(2)
const whetstone = createOpenAICompatible({
  name: 'whetstone',
  baseURL: `${url}/v1`,
  apiKey: process.env.WHETSTONE_KEY ?? 'none',
})

const { fullStream } = streamText({
  model: whetstone(`${model}:best-of-n`),
  prompt: 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?',
  // What no option of the SDK can say goes into the body as it is.
  providerOptions: { whetstone: { refine: { options: { n: 4 }, show: 'summary' } } },
})

for await (const part of fullStream) {
  if (part.type === 'reasoning-delta') process.stderr.write(part.text)
  if (part.type === 'text-delta') process.stdout.write(part.text)
  if (part.type === 'error') throw part.error
}
process.stdout.write('\n')
