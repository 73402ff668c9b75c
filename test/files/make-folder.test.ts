import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { makeFolder } from '../../src/files/make-folder.ts'
import { temporaryFolder } from '../runs/support.ts'

test('a folder is made with those above it, and one that is there is left alone', () => {
  const folder = path.join(temporaryFolder(), 'a', 'b', 'c')
  makeFolder(folder)
  assert.ok(statSync(folder).isDirectory())
  writeFileSync(path.join(folder, 'kept'), '')
  makeFolder(folder)
  assert.ok(existsSync(path.join(folder, 'kept')))
})

test('what stands in the way of a folder is named', () => {
  const file = path.join(temporaryFolder(), 'file')
  writeFileSync(file, '')
  for (const folder of [file, path.join(file, 'below')]) {
    assert.throws(() => makeFolder(folder), new RegExp(`(?:EEXIST|ENOTDIR).*'${file}`))
  }
})

test('a folder that takes no other ends the attempt', (t) => {
  if (!existsSync('/proc/self')) return t.skip('this system has no /proc')
  assert.throws(() => makeFolder('/proc/whetstone/data'), /ENOENT.*'\/proc\/whetstone'/)
})
