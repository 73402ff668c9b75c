// Anthropic's own client: a thinking block per revision, then the answer.
// Usage: node examples/anthropic.mjs [base URL] [model]
import Anthropic from '@anthropic-ai/sdk'

const [url = 'http://127.0.0.1:8080', model = 'pebble'] = process.argv.slice(2)
const client = new Anthropic({ baseURL: url, apiKey: process.env.WHETSTONE_KEY ?? 'none' })

const stream = client.messages.stream({
  model: `${model}:best-of-n`,
  max_tokens: 512,
  messages: [
    {
      role: 'user',
      content: 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?',
    },
  ],
})
stream.on('thinking', (text) => process.stderr.write(text))
stream.on('text', (text) => process.stdout.write(text))
await stream.finalMessage()
process.stdout.write('\n')
