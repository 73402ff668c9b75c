import assert from 'node:assert/strict'
import test from 'node:test'
import { TextStream } from '../../src/inference/text/text-stream.ts'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { readTokenText } from '../../src/inference/text/token-text.ts'
import { FOLDER, reference } from './model-fixture.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const entry = (text: string) => ({ text, logProbability: -1, alternatives: [] })

/** Pushes each part as one token; the texts of the pieces, the last one being what the end released. */
const stream = (parts: readonly Uint8Array[], stops: readonly string[] = [], keepStop = false) => {
  const text = new TextStream(stops, keepStop)
  const pieces: string[] = []
  for (const part of parts) {
    const piece = text.push(part, undefined)
    pieces.push(piece.text)
    if (piece.stop !== undefined) return { pieces, stop: piece.stop }
  }
  pieces.push(text.flush().text)
  return { pieces, stop: undefined }
}

test('no piece ends inside a character or a surrogate pair', () => {
  const bytes = Array.from(encode('a🙂é東'), (byte) => Uint8Array.of(byte))
  const { pieces } = stream(bytes)
  assert.deepEqual(
    pieces.filter((piece) => piece !== ''),
    ['a', '🙂', 'é', '東'],
  )
})

test('the bytes of a character that never became whole are left out', () => {
  const { pieces } = stream([encode('ok'), encode('🙂').slice(0, 2)])
  assert.equal(pieces.join(''), 'ok')
})

test('a stop string that spans tokens ends the text before it', () => {
  const parts = ['one', ' t', 'wo#', '#', '# three'].map(encode)
  const { pieces, stop } = stream(parts, ['###'])
  assert.equal(stop, '###')
  assert.equal(pieces.join(''), 'one two')
})

test('a stop string stays in the text when it is to be kept', () => {
  const { pieces } = stream([encode('one\n'), encode('\ntwo')], ['\n\n'], true)
  assert.equal(pieces.join(''), 'one\n\n')
})

test('what only looked like the beginning of a stop string is released later', () => {
  const { pieces, stop } = stream(['a#', '#b', '#'].map(encode), ['###'])
  assert.deepEqual(pieces, ['a', '##b', '', '#'])
  assert.equal(stop, undefined)
})

test('of several stop strings the one that begins first counts', () => {
  const { pieces, stop } = stream([encode('a END b STOP')], ['STOP', 'END'])
  assert.equal(stop, 'END')
  assert.equal(pieces.join(''), 'a ')
})

test('tokens come with the piece that completes their text, and not from behind a stop string', () => {
  const text = new TextStream(['END'], false)
  const face = encode('🙂')
  assert.deepEqual(text.push(face.slice(0, 2), entry('first')).tokens, [])
  const whole = text.push(face.slice(2), entry('second'))
  assert.deepEqual(
    whole.tokens.map((token) => token.text),
    ['first', 'second'],
  )
  assert.deepEqual(text.push(encode('E'), entry('E')).tokens, [])
  const last = text.push(encode('ND'), entry('ND'))
  assert.deepEqual([last.text, last.tokens.length, last.stop], ['', 0, 'END'])
})

test('tokens of text that was held back come with it at the end', () => {
  const text = new TextStream(['##'], false)
  assert.deepEqual(text.push(encode('#'), entry('#')), { text: '', tokens: [] })
  text.push(encode('🙂').slice(0, 2), entry('half'))
  const { text: rest, tokens } = text.flush()
  assert.deepEqual([rest, tokens.map((token) => token.text)], ['#', ['#', 'half']])
})

test('tokens of the reference decode to its text, special tokens to nothing', () => {
  const words = readTokenText(openCheckpoint(FOLDER))
  for (const name of ['solve', 'unicode']) {
    const { ids, text, greedy_ids, greedy_text } = reference(name)
    const join = (tokens: readonly number[]): string =>
      Buffer.concat(tokens.map((token) => words.bytes(token))).toString('utf8')
    assert.equal(join(ids), text.replaceAll(/<\|\w+\|>/g, ''))
    assert.equal(join(greedy_ids), greedy_text)
  }
})
