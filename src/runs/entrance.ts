import type { Admission, Place } from './admission.ts'
import type { LiveRun } from './live-run.ts'
import type { Quotas } from './quotas.ts'

/**
 * A place among the runs that go on, paid from the owner's quota.
 * @throws RefineError overloaded, shutting_down, rate_limited
 */
export const enterRuns = (
  admission: Admission,
  quotas: Quotas,
  owner: string,
  live: LiveRun,
): Place => {
  const leaveQuota = quotas.enter(owner)
  try {
    const place = admission.enter(live.controller.signal)
    const leaveBoth = (): void => {
      place.leave()
      const { input_tokens: input, output_tokens: output } = live.state.usage
      leaveQuota(input + output)
    }
    return { admitted: place.admitted, leave: leaveBoth }
  } catch (cause) {
    leaveQuota(0)
    throw cause
  }
}
