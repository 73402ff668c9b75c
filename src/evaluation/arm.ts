/** What is compared: one way of answering, applied to every item. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { hashToUnit } from '../core/random.ts'
import { validate } from '../core/validation.ts'
import { RunRequest } from '../runs/run-request.ts'
import type { Item } from './data-set.ts'

const { strategy, options, model, models, budget, sampling } = RunRequest.properties

export const Arm = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    strategy,
    options,
    model,
    models,
    budget,
    sampling,
  },
  { additionalProperties: false },
)
export type Arm = Static<typeof Arm>

/** @throws RefineError invalid_request when an arm has unknown or wrong fields, or two have one name. */
export const readArms = (arms: readonly unknown[]): Arm[] => {
  const read = arms.map((arm, index) => validate(Arm, arm, `/arms/${index}`))
  for (const [index, { name }] of read.entries()) {
    if (read.findIndex((other) => other.name === name) === index) continue
    throw invalidField(`/arms/${index}/name`, `there is another arm named "${name}"`)
  }
  return read
}

/** Derived from what all arms share, so that they differ in nothing but themselves. In [0, 2^31). */
export const seedOf = (seed: number, item: string, repeat: number): number =>
  Math.floor(hashToUnit(JSON.stringify(['evaluation', seed, item, repeat])) * 2 ** 31)

/** All that a run gets to see: the question and the settings, never the label. */
export const requestOf = (arm: Arm, item: Item, seed: number): RunRequest => {
  const { name: _, ...settings } = arm
  return { ...structuredClone(item.question), ...settings, seed } as RunRequest
}
