/**
 * What people do with an answer says something of it without their being asked: the names such feedback goes by. They
 * are reported like all feedback, by whoever shows the answer; what they mean is fixed, so that it can be compared.
 */
import { invalidField } from '../core/errors.ts'
import type { Metric } from './experiment.ts'

/** Names that begin with this mean what is written here. */
const IMPLICIT = 'implicit.'

interface Sign {
  readonly type: Metric['type']
  readonly takes: string
  readonly isValid: (value: unknown) => boolean
}

const done = (what: string): Sign => ({
  type: 'boolean',
  takes: `true or false: whether ${what}`,
  isValid: (value) => typeof value === 'boolean',
})

const SIGNS: ReadonlyMap<string, Sign> = new Map<string, Sign>([
  ['implicit.copied', done('the answer was copied')],
  ['implicit.regenerated', done('another answer was asked for')],
  [
    'implicit.edited',
    {
      type: 'number',
      takes: 'a number from 0 to 1: the share of the answer that was changed before it was used',
      isValid: (value) => typeof value === 'number' && value >= 0 && value <= 1,
    },
  ],
])

const signOf = (name: string, pointer: string): Sign | undefined => {
  if (!name.startsWith(IMPLICIT)) return undefined
  const sign = SIGNS.get(name)
  if (sign !== undefined) return sign
  throw invalidField(
    pointer,
    `"${name}" has no meaning; there are: ${[...SIGNS.keys()].join(', ')}`,
  )
}

/** @throws RefineError invalid_request for an unknown name that begins with `implicit.`, or a value it does not take */
export const checkImplicit = (name: string, value: unknown): void => {
  const sign = signOf(name, '/metric')
  if (sign === undefined || sign.isValid(value)) return
  throw invalidField('/value', `must be ${sign.takes}, for "${name}"`)
}

/** @throws RefineError invalid_request when a name that begins with `implicit.` is unknown or has another type */
export const checkImplicitMetrics = (metrics: readonly Metric[]): void => {
  for (const [index, { name, feedback, type }] of metrics.entries()) {
    const field = feedback === undefined ? 'name' : 'feedback'
    const sign = signOf(feedback ?? name, `/metrics/${index}/${field}`)
    if (sign === undefined || sign.type === type) continue
    throw invalidField(`/metrics/${index}/type`, `"${feedback ?? name}" is of type ${sign.type}`)
  }
}
