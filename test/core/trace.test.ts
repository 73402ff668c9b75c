import assert from 'node:assert/strict'
import test from 'node:test'
import { readTrace, traceHeaders } from '../../src/core/trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const traceparent = `00-${TRACE}-${PARENT}-01`

test('a trace goes on with its id, its flags and its state, under a parent of our own', () => {
  const trace = readTrace({ traceparent, tracestate: 'congo=t61rcWkgMzE' })!
  assert.deepEqual(traceHeaders(trace, '1234567890abcdef'), {
    traceparent: `00-${TRACE}-1234567890abcdef-01`,
    tracestate: 'congo=t61rcWkgMzE',
  })
  assert.deepEqual(Object.keys(traceHeaders(readTrace({ traceparent })!, PARENT)), ['traceparent'])
})

test('of a later version what is known is read, and flags without a meaning are dropped', () => {
  for (const [given, flags] of [
    [`00-${TRACE}-${PARENT}-00`, '00'],
    [`00-${TRACE}-${PARENT}-ff`, '03'],
    [`cc-${TRACE}-${PARENT}-09`, '01'],
    [`cc-${TRACE}-${PARENT}-02-what-the-future-brings`, '02'],
  ] as const)
    assert.deepEqual(readTrace({ traceparent: given }), { traceId: TRACE, flags }, given)
})

test('what is no traceparent is none', () => {
  for (const given of [
    undefined,
    '',
    'nonsense',
    [traceparent, traceparent],
    `${traceparent}, ${traceparent}`,
    `${traceparent}-more`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-1`,
    `cc-${TRACE}-${PARENT}-011`,
    ` ${traceparent}`,
  ])
    assert.equal(readTrace({ traceparent: given }), undefined, String(given))
})

test('a state that is too long or no text is left out', () => {
  for (const tracestate of ['', 'a=é', `a=${'b'.repeat(511)}`])
    assert.equal(readTrace({ traceparent, tracestate })?.state, undefined, tracestate)
})
