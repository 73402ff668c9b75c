// OpenAI's own client, unmodified: the strategy is part of the model's name; drafts, scores and critiques arrive as
// reasoning, the answer as content.
// Usage: node examples/openai.mjs [base URL] [model]
import OpenAI from 'openai'

const [url = 'http://127.0.0.1:8080', model = 'pebble'] = process.argv.slice(2)
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.WHETSTONE_KEY ?? 'none' })

const stream = await client.chat.completions.create({
  model: `${model}:best-of-n`,
  messages: [
    {
      role: 'user',
      content: 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?',
    },
  ],
  stream: true,
  // What no field of OpenAI's can say; other clients call it an extra body.
  refine: { options: { n: 4 }, show: 'summary' },
})

for await (const { choices } of stream) {
  const delta = choices[0]?.delta
  if (delta?.reasoning_content) process.stderr.write(delta.reasoning_content)
  if (delta?.content) process.stdout.write(delta.content)
}
process.stdout.write('\n')
