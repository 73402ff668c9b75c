/** The whole server on the scripted model, over HTTP, for experiments. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { buildServer, openRuns } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createLog } from '../../src/telemetry/log.ts'

const log = createLog({ level: 'silent' })

/** Two models that answer at once: one is mostly right, one mostly wrong. */
const CONFIG = `
models:
  - { id: good, adapter: scripted, accuracy: 0.9, tokens_per_answer: 8, tokens_per_second: 1000 }
  - { id: poor, adapter: scripted, accuracy: 0.5, tokens_per_answer: 8, tokens_per_second: 1000 }
defaults: { model: poor, strategy: single }
`

export const workplace = (config = CONFIG): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-experiments-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(path.join(folder, 'whetstone.yaml'), config)
  return folder
}

export interface Reply<Body = Record<string, unknown>> {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Body
}

export type Call = (
  method: 'GET' | 'POST' | 'PATCH',
  url: string,
  payload?: object,
  headers?: Record<string, string>,
) => Promise<Reply>

/** Opens the server on the folder; `close` ends it before the test does. */
export const serve = async (t: TestContext, folder = workplace(), extra = '') => {
  if (extra !== '') writeFileSync(path.join(folder, 'whetstone.yaml'), CONFIG + extra)
  const settings = loadConfig(
    { config: path.join(folder, 'whetstone.yaml'), data: path.join(folder, 'data'), port: '0' },
    {},
  )
  const opened = await openRuns(settings, log, () => undefined)
  const app = await buildServer(opened, settings, log, '0.0.0')
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await app.close()
    await opened.close()
  }
  t.after(close)
  const call: Call = async (method, url, payload, headers = {}) => {
    const reply = await app.inject({ method, url, headers, ...(payload && { payload }) })
    const isJson = /json(?!l)/.test(String(reply.headers['content-type']))
    const body = (isJson ? reply.json() : { text: reply.body }) as Record<string, unknown>
    return { status: reply.statusCode, headers: reply.headers, body }
  }
  return { ...opened, app, call, close }
}
