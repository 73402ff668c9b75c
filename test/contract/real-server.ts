/** The whole server on the scripted model, for clients whose requests must reach a run and come back from it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { buildServer, openRuns } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createLog } from '../../src/telemetry/log.ts'

const log = createLog({ level: 'silent' })

/**
 * `good` always solves its task; `slow` takes seconds; `extra` is more of the list of models, `defaults` more of the
 * defaults, both as YAML.
 */
export const serveScripted = async (t: TestContext, extra = '', defaults = '') => {
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-contract-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const config = path.join(folder, 'whetstone.yaml')
  writeFileSync(
    config,
    `
models:
  - { id: good, adapter: scripted, accuracy: 1 }
  - { id: slow, adapter: scripted, accuracy: 1, tokens_per_second: 5, tokens_per_answer: 100 }
${extra}
defaults: { ${defaults}model: good, strategy: single }
`,
  )
  const settings = loadConfig({ config, data: path.join(folder, 'data'), port: '0' }, {})
  const opened = await openRuns(settings, log, () => undefined)
  const app = await buildServer(opened, settings, log, '0.0.0')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(async () => {
    await opened.runs.drain(0)
    await app.close()
    await opened.close()
  })
  return { app, url, baseURL: `${url}/v1`, runs: opened.runs }
}

/** In OpenAI's form; the scripted model says "Paris" when the question ends with it. */
export const WEATHER = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'The weather of a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    },
  },
}
export const PARIS = 'What is the weather in Paris?'
export const PARIS_ARGUMENTS = '{"city":"Paris"}'

export const NUMBER_SCHEMA = {
  type: 'object',
  properties: { answer: { type: 'integer' } },
  required: ['answer'],
  additionalProperties: false,
} as const
