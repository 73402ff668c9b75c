/** Which arms the models can run at all, found out before anything is measured. */
import { RefineError } from '../core/errors.ts'
import { requestOf, type Arm } from './arm.ts'
import type { Item } from './data-set.ts'
import type { RunSource } from './evaluate.ts'

export interface LeftOut {
  readonly arm: string
  readonly reason: string
}

/** Begins a run and cancels it at its first event; the reason when it is refused because of what the models lack. */
const refusalOf = async (source: RunSource, arm: Arm, item: Item): Promise<string | undefined> => {
  const attempt = new AbortController()
  try {
    for await (const _ of source.start(requestOf(arm, item, 0), attempt.signal)) attempt.abort()
    return undefined
  } catch (thrown) {
    if (thrown instanceof RefineError && thrown.code === 'unsupported_capability') {
      return thrown.message
    }
    throw thrown
  }
}

/**
 * The arms that can be run, and those that are left out with the reason.
 * @throws RefineError any refusal but unsupported_capability: a wrong option is no reason to leave an arm out.
 */
export const preflight = async (
  source: RunSource,
  arms: readonly Arm[],
  item: Item,
  signal: AbortSignal,
): Promise<{ readonly arms: readonly Arm[]; readonly leftOut: readonly LeftOut[] }> => {
  const kept: Arm[] = []
  const leftOut: LeftOut[] = []
  for (const arm of arms) {
    signal.throwIfAborted()
    const reason = await refusalOf(source, arm, item)
    if (reason === undefined) kept.push(arm)
    else leftOut.push({ arm: arm.name, reason })
  }
  return { arms: kept, leftOut }
}
