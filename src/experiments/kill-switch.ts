/** Arms that are switched off by themselves: those shown to break a guardrail that says so. */
import { RefineError } from '../core/errors.ts'
import type { Log } from '../core/strategy.ts'
import type { Definitions, Versioned } from './definitions.ts'
import type { Arm, Experiment } from './experiment.ts'
import type { ExperimentResults } from './results-schema.ts'

/** The arms with those switched off that have to be; undefined when none has. */
const armsAfter = (
  { arms, guardrails, status }: Experiment,
  results: ExperimentResults,
): Arm[] | undefined => {
  if (status !== 'running') return undefined
  const watched = guardrails.filter(({ kill }) => kill === true).map(({ metric }) => metric)
  const brokenBy = (arm: Arm): string | undefined => {
    const own = results.arms.find(({ name }) => name === arm.name)
    return watched.find((metric) => own?.metrics[metric]?.guardrail?.breached === true)
  }
  const after = arms.map((arm) => {
    const metric = arm.killed === undefined ? brokenBy(arm) : undefined
    return metric === undefined ? arm : { ...arm, killed: `It breaks the guardrail "${metric}".` }
  })
  return after.some((arm, index) => arm !== arms[index]) ? after : undefined
}

/** Makes the version in which the arms are off that these results are against. */
export const switchOff = async (
  definitions: Definitions,
  { experiment, version }: Versioned,
  results: ExperimentResults,
  log: Log,
): Promise<void> => {
  const arms = armsAfter(experiment, results)
  if (arms === undefined) return
  try {
    await definitions.change(experiment.key, { arms }, version)
    log.warn({ experiment: experiment.key }, 'an arm breaks a guardrail and is switched off')
  } catch (cause) {
    // Somebody changed the experiment meanwhile: the next look sees to it.
    if (!(cause instanceof RefineError && cause.code === 'precondition_failed')) throw cause
  }
}
