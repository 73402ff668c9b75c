// LangChain: the strategy is part of the model's name; drafts, scores and critiques are in `additional_kwargs`.
// Usage: node examples/langchain.mjs [base URL] [model]
import { ChatOpenAI } from '@langchain/openai'

const [url = 'http://127.0.0.1:8080', model = 'pebble'] = process.argv.slice(2)
const chat = new ChatOpenAI({
  model: `${model}:best-of-n`,
  apiKey: process.env.WHETSTONE_KEY ?? 'none',
  configuration: { baseURL: `${url}/v1` },
  modelKwargs: { refine: { options: { n: 4 }, show: 'summary' } },
})

const question = 'Ann has 3 pens. Ben has 2 more pens than Ann. How many pens does Ben have?'
for await (const { content, additional_kwargs: extra } of await chat.stream(question)) {
  if (extra.reasoning_content) process.stderr.write(extra.reasoning_content)
  process.stdout.write(content)
}
process.stdout.write('\n')
