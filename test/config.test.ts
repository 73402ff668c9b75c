/** What a configuration is refused for, besides its form. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { loadConfig } from '../src/config.ts'

const load = (t: TestContext, text: string, environment: Record<string, string> = {}) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const config = path.join(folder, 'whetstone.yaml')
  writeFileSync(config, text)
  return loadConfig({ config }, environment)
}

test('a configuration that is no mapping is refused as the file that it is', (t) => {
  assert.throws(() => load(t, '- models'), /whetstone\.yaml: the file must be object$/)
})

test('one key under two names is refused, since only one of their limits could hold', (t) => {
  const keys =
    'api_keys: [{ name: a, env: A, rate_limits: { concurrent_runs: 1 } }, { name: b, env: B }]'
  const key = '0123456789abcdef'
  assert.throws(() => load(t, keys, { A: key, B: key }), /api_keys "b": is the same key as "a"/)
  assert.equal(load(t, keys, { A: key, B: `${key}g` }).apiKeys.length, 2)
})

test('a key that no header can carry is refused, without being told', (t) => {
  for (const key of ['0123456789abcdef ', '\ufeff0123456789abcdef', '0123456789abcdéf', 'short']) {
    assert.throws(
      () => load(t, 'api_keys: [{ name: a, env: A }]', { A: key }),
      ({ message }: Error) =>
        /"a": the environment variable A must hold a key of .* without spaces/.test(message) &&
        !message.includes(key),
    )
  }
})
