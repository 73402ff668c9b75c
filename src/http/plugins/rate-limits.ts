/**
 * Tells callers what they may still use: `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-11
 * has them, and OpenAI's `x-ratelimit-*`. The limits themselves are kept by the runs, whichever way they come.
 */
import type { FastifyInstance } from 'fastify'
import type { PolicyStatus } from '../../runs/quotas.ts'
import type { RunService } from '../../runs/run-service.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Headers about the quota of an owner, as it is now; none without limits. */
    quotaHeaders(owner: string): Record<string, string>
  }
}

/** Quota units; `tokens` is ours, the draft knows none. */
const UNITS = {
  requests: 'requests',
  tokens: 'tokens',
  'concurrent-runs': 'concurrent-requests',
} as const

const policyItem = ({ name, quota, windowSeconds }: PolicyStatus): string => {
  const window = windowSeconds === undefined ? '' : `;w=${Math.ceil(windowSeconds)}`
  const unit = name === 'requests' ? '' : `;qu="${UNITS[name]}"`
  return `"${name}";q=${quota}${window}${unit}`
}

const limitItem = ({ name, remaining, resetSeconds }: PolicyStatus): string =>
  `"${name}";r=${remaining};t=${resetSeconds}`

const openAiHeaders = ({ name, quota, remaining, resetSeconds }: PolicyStatus) =>
  name === 'concurrent-runs'
    ? []
    : [
        [`x-ratelimit-limit-${name}`, String(quota)],
        [`x-ratelimit-remaining-${name}`, String(remaining)],
        [`x-ratelimit-reset-${name}`, `${resetSeconds}s`],
      ]

export const quotaHeaders = (policies: readonly PolicyStatus[]): Record<string, string> =>
  policies.length === 0
    ? {}
    : {
        'ratelimit-policy': policies.map(policyItem).join(', '),
        ratelimit: policies.map(limitItem).join(', '),
        ...(Object.fromEntries(policies.flatMap(openAiHeaders)) as Record<string, string>),
      }

export const registerRateLimits = (app: FastifyInstance, runs: RunService): void => {
  app.decorate('quotaHeaders', (owner: string) => quotaHeaders(runs.quota(owner)))
  app.addHook('onSend', async ({ url, owner }, reply) => {
    if (url.startsWith('/v1/')) reply.headers(app.quotaHeaders(owner))
  })
}
