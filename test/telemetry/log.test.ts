import test from 'node:test'
import assert from 'node:assert/strict'
import type { Log } from '../../src/core/strategy.ts'
import { createLog, type LogOptions } from '../../src/telemetry/log.ts'

const capture = (options: Partial<LogOptions> = {}) => {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
    ...options,
  })
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> }
}

test('a line is one JSON object with level, ISO time and message', () => {
  const { log, lines, last } = capture()
  const core: Log = log
  core.info({ run_id: 'run_1' }, 'run started')
  assert.match(lines[0]!, /^\{.*\}\n$/)
  const { time, ...rest } = last()
  assert.deepEqual(rest, { level: 'info', run_id: 'run_1', msg: 'run started' })
  assert.equal(new Date(time as string).toISOString(), time)
})

test('what is below the level is left out', () => {
  const { log, lines } = capture({ level: 'warn' })
  log.info({}, 'no')
  log.warn({}, 'yes')
  assert.equal(lines.length, 1)
})

const SECRET = 'hunter2'
const places: Readonly<Record<string, object>> = {
  'at the top': { authorization: SECRET, 'x-api-key': SECRET, cookie: SECRET, apiKey: SECRET },
  'in headers': { headers: { authorization: SECRET, 'x-api-key': SECRET, 'set-cookie': [SECRET] } },
  'in a request': { req: { headers: { cookie: SECRET, Authorization: SECRET } } },
  'in an error': {
    err: Object.assign(new Error('x'), { request: { headers: { authorization: SECRET } } }),
  },
}

for (const [place, details] of Object.entries(places)) {
  test(`a secret ${place} never reaches the log`, () => {
    const { log, lines } = capture({ logPrompts: true })
    log.error(details, 'failed')
    log.child(details).error('failed again')
    assert.equal(lines.length, 2)
    assert.doesNotMatch(lines.join(''), /hunter2/)
    assert.match(lines.join(''), /\[redacted\]/)
  })
}

test('the object that is logged stays as it was', () => {
  const { log } = capture()
  const details = { headers: { authorization: SECRET } }
  log.info(details, 'x')
  assert.deepEqual(details, { headers: { authorization: SECRET } })
})

const prompts = {
  input: 'tell me',
  request: { messages: [{ role: 'user', content: 'tell me' }] },
  run: { answer: { text: 'tell me' } },
}

test('prompts and answers stay out of the log', () => {
  const { log, lines } = capture()
  log.info(prompts, 'run')
  assert.doesNotMatch(lines[0]!, /tell me/)
})

test('prompts and answers are logged when that is asked for', () => {
  const { log, last } = capture({ logPrompts: true })
  log.info(prompts, 'run')
  const { input, request, run } = last()
  assert.deepEqual({ input, request, run }, prompts)
})

test('an error is logged with its type, message, stack and own fields', () => {
  const { log, last } = capture()
  log.error({ err: Object.assign(new TypeError('odd'), { code: 'E_ODD' }) }, 'failed')
  const { type, message, stack, code } = last()['err'] as Record<string, string>
  assert.deepEqual({ type, message, code }, { type: 'TypeError', message: 'odd', code: 'E_ODD' })
  assert.match(stack!, /TypeError: odd\n {4}at /)
  log.error(new RangeError('bare'))
  assert.equal((last()['err'] as Record<string, string>)['message'], 'bare')
})

test('a cycle does not keep the log from writing', () => {
  const { log, lines } = capture()
  const cycle: Record<string, unknown> = { authorization: SECRET }
  cycle['self'] = cycle
  log.info({ cycle }, 'x')
  assert.doesNotMatch(lines[0]!, /hunter2/)
  assert.match(lines[0]!, /too deep/)
})
