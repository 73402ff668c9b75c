import type { Admission, Place } from './admission.ts'
import type { LiveRun } from './live-run.ts'
import { orAbort } from './or-abort.ts'
import type { Plan } from './plan.ts'
import type { Quotas } from './quotas.ts'
import { Stop } from './stop.ts'

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
    leaveQuota(undefined)
    throw cause
  }
}

/** A run that is ended while it waits, or waits too long, is driven all the same: that makes its terminal event. */
export const waitForPlace = async (plan: Plan, live: LiveRun, place: Place): Promise<void> => {
  const tooLong = (): void => live.controller.abort(new Stop('deadline'))
  const timer = plan.deadline === undefined ? undefined : setTimeout(tooLong, plan.deadline * 1000)
  await orAbort(place.admitted, live.controller.signal).catch(() => undefined)
  clearTimeout(timer)
}
