/** W3C Trace Context, level 2 (https://www.w3.org/TR/trace-context-2/): the trace of its caller that a request belongs to. */

export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string
  /** Two hexadecimal digits, of the flags that are known. */
  readonly flags: string
  /** What the systems of the trace tell each other, as it came. */
  readonly state?: string
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** Versions after the first may tell more behind the flags. */
const TRACEPARENT =
  /^(?!ff)(?<version>[\da-f]{2})-(?!0{32})(?<traceId>[\da-f]{32})-(?!0{16})[\da-f]{16}-(?<flags>[\da-f]{2})(?<more>-.*)?$/

/** Sampled, and random trace id; the others have no meaning yet and must be 0. */
const KNOWN_FLAGS = 0b11

/** As much as everybody has to pass on; more is left out. */
const TRACESTATE = /^[\t\x20-\x7e]{1,512}$/

/** Undefined where there is no `traceparent`, or none that is valid: it is then as if there was none. */
export const readTrace = ({ traceparent, tracestate }: Headers): TraceContext | undefined => {
  const groups = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.groups : undefined
  if (groups === undefined) return undefined
  const { version, traceId, flags, more } = groups
  if (version === '00' && more !== undefined) return undefined
  const known = Number.parseInt(flags!, 16) & KNOWN_FLAGS
  const hasState = typeof tracestate === 'string' && TRACESTATE.test(tracestate)
  return {
    traceId: traceId!,
    flags: known.toString(16).padStart(2, '0'),
    ...(hasState && { state: tracestate }),
  }
}

/** The headers of a request that the trace goes on with; `spanId` are 16 hexadecimal digits of its own. */
export const traceHeaders = (
  { traceId, flags, state }: TraceContext,
  spanId: string,
): Record<string, string> => ({
  traceparent: `00-${traceId}-${spanId}-${flags}`,
  ...(state !== undefined && { tracestate: state }),
})
