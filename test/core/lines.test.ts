import test from 'node:test'
import assert from 'node:assert/strict'
import { linesOf } from '../../src/core/lines.ts'

const read = async (...pieces: readonly (string | Uint8Array)[]): Promise<string[]> => {
  const chunks = async function* () {
    for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece
  }
  const lines: string[] = []
  for await (const line of linesOf(chunks())) lines.push(line)
  return lines
}

test('a text is cut at line feeds, wherever its chunks end', async () => {
  assert.deepEqual(await read('a\nb', 'c', 'd\n\ne\n', '\nf'), ['a', 'bcd', '', 'e', '', 'f'])
  const [before, after] = [Buffer.from('ü\n').subarray(0, 1), Buffer.from('ü\n').subarray(1)]
  assert.deepEqual(await read('a', before, after), ['aü'])
  assert.deepEqual(await read(), [])
  assert.deepEqual(await read('\n'), [''])
})

test('what JSON may hold within a line does not end it', async () => {
  const record = { text: 'a\u2028b\u2029c\u0085d\u000be\r\n' }
  assert.deepEqual(await read(JSON.stringify(record), '\r\n'), [`${JSON.stringify(record)}\r`])
})

test('a byte order mark is no text', async () => {
  assert.deepEqual(await read('\ufeff{}\n\ufeff'), ['{}', '\ufeff'])
})
