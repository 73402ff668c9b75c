/** What is told of a run to an address outside when it ends: Standard Webhooks (https://www.standardwebhooks.com). */
import { createHmac, randomBytes } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { RefineError } from '../core/errors.ts'
import type { RunState } from '../core/run-state.ts'
import type { Delivery } from '../core/run-store.ts'
import type { TraceContext } from '../core/trace.ts'

export const WEBHOOK_EVENTS = ['run.completed', 'run.failed', 'run.cancelled'] as const

export const Webhook = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2048, description: 'Where to send it: https.' }),
    events: Type.Optional(
      Type.Array(Type.Enum([...WEBHOOK_EVENTS]), {
        minItems: 1,
        uniqueItems: true,
        description: 'What to tell; all three if absent.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Told when the run has ended, by a POST signed as Standard Webhooks has it. Repeated for three days until it is ' +
      'answered with 2xx; 410 turns the address off. The same `webhook-id` may come more than once.',
  },
)
export type Webhook = Static<typeof Webhook>

const SECRET_PREFIX = 'whsec_'
/** What Standard Webhooks allows. */
const [MIN_SECRET_BYTES, MAX_SECRET_BYTES] = [24, 64]

/** The key bytes of a secret `whsec_` + base64. @throws RefineError invalid_request, without the secret in its text. */
export const readWebhookSecret = (text: string): Buffer => {
  const encoded = text.trim().slice(SECRET_PREFIX.length)
  const bytes = Buffer.from(encoded, 'base64')
  const isCanonical = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  const fits = bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES
  if (text.trim().startsWith(SECRET_PREFIX) && isCanonical && fits) return bytes
  throw new RefineError(
    'invalid_request',
    `A webhook secret must be ${SECRET_PREFIX} and ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes in base64.`,
  )
}

/** The value of `webhook-signature`: one signature per secret, so that receivers can change over. `timestamp` in seconds. */
export const signWebhook = (
  secrets: readonly Buffer[],
  id: string,
  timestamp: number,
  body: string,
): string =>
  secrets
    .map((secret) =>
      createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64'),
    )
    .map((signature) => `v1,${signature}`)
    .join(' ')

/** Without the candidates and the revisions, which may be long and can be fetched. */
const bodyOf = (type: string, state: RunState): string => {
  const { candidates, revisions, ...rest } = state
  const data = { ...rest, candidates: candidates.length, revisions: revisions.length }
  return JSON.stringify({ type, timestamp: state.ended_at, data })
}

/** What to deliver once the run has ended as the state says. */
export const deliveriesOf = (
  webhook: Webhook | undefined,
  owner: string,
  state: RunState,
  trace?: TraceContext,
): Delivery[] => {
  const type = `run.${state.status}`
  const wanted: readonly string[] = webhook?.events ?? WEBHOOK_EVENTS
  if (webhook === undefined || !wanted.includes(type)) return []
  const id = `msg_${randomBytes(16).toString('hex')}`
  const body = bodyOf(type, state)
  const { url } = webhook
  const traced = trace === undefined ? {} : { trace: JSON.stringify(trace) }
  return [{ id, run_id: state.id, owner, url, body, attempts: 0, due: Date.now(), ...traced }]
}
