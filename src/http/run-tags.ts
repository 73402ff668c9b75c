/** Weak entity tags of runs: two replies with the same tag say the same about the run. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RunState } from '../core/run-state.ts'

export const runTag = ({ id, last_sequence: last, status }: RunState): string =>
  `W/"${id}-${last}-${status}"`

const opaque = (tag: string): string => tag.trim().replace(/^W\//, '')

/** Whether the caller has this tag, or any, already (RFC 9110, 13.1.2: weak comparison). */
export const hasTag = ({ headers }: FastifyRequest, tag: string): boolean => {
  const given = headers['if-none-match']
  if (given === undefined) return false
  return given.trim() === '*' || given.split(',').some((each) => opaque(each) === opaque(tag))
}

/** The run with its tag, or 304 without a body where the caller has it. */
export const sendRun = (request: FastifyRequest, reply: FastifyReply, state: RunState) => {
  const tag = runTag(state)
  reply.headers({ etag: tag, 'cache-control': 'private, no-cache' })
  return hasTag(request, tag) ? reply.code(304).send() : reply.send(state)
}
