/** What a schema cannot say of the metrics of an experiment. Every error names the field. */
import { invalidField } from '../core/errors.ts'
import { AUTOMATIC, checkAutomaticMetrics } from './automatic-metrics.ts'
import type { Experiment } from './experiment.ts'
import { checkImplicitMetrics } from './implicit-metrics.ts'

export const checkUnique = (names: readonly string[], list: string, field: string): void => {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) !== index) {
      throw invalidField(`/${list}/${index}/${field}`, `must be unique; "${name}" is there before`)
    }
  }
}

const checkParts = ({ metrics }: Experiment): void => {
  checkUnique(
    metrics.map(({ name }) => name),
    'metrics',
    'name',
  )
  for (const [index, metric] of metrics.entries()) {
    const at = `/metrics/${index}`
    const { type, transform, quantile, denominator, covariate } = metric
    if (type === 'boolean' && transform !== undefined) {
      throw invalidField(`${at}/transform`, 'is for number metrics only')
    }
    if (quantile !== undefined && (type === 'boolean' || transform !== undefined)) {
      throw invalidField(`${at}/quantile`, 'is for number metrics without a transform')
    }
    if (quantile !== undefined && (denominator !== undefined || covariate !== undefined)) {
      throw invalidField(`${at}/quantile`, 'excludes a denominator and a covariate')
    }
    if (denominator !== undefined && transform !== undefined) {
      throw invalidField(`${at}/transform`, 'excludes a denominator')
    }
  }
}

const checkGuardrails = ({ metrics, guardrails }: Experiment): void => {
  for (const [index, { metric: name, margin, relative }] of guardrails.entries()) {
    const at = `/guardrails/${index}`
    const metric = metrics.find((each) => each.name === name)
    if (metric === undefined) {
      const names = metrics.map((each) => each.name)
      throw invalidField(`${at}/metric`, `must be a metric: ${names.join(', ')}`)
    }
    const earlier = guardrails.findIndex((each) => each.metric === name)
    if (earlier !== index || metric.margin !== undefined) {
      throw invalidField(`${at}/metric`, `"${name}" has a margin already`)
    }
    if (relative === true && margin >= 1) {
      throw invalidField(`${at}/margin`, 'must be below 1 when it is relative')
    }
    if (relative === true && metric.transform === 'log') {
      throw invalidField(
        `${at}/relative`,
        'is not for logarithms, whose margin is a factor as it is',
      )
    }
  }
}

/** The mean of a covariate is that of the units as they came, which an allocation that moves with time tells apart by arm. */
const checkCovariates = ({ metrics, allocation }: Experiment): void => {
  const index = metrics.findIndex(({ covariate }) => covariate !== undefined)
  if (index < 0 || allocation.type === 'fixed') return
  throw invalidField(`/metrics/${index}/covariate`, 'needs the allocation `fixed`')
}

const checkPrediction = ({ metrics }: Experiment): void => {
  for (const [index, metric] of metrics.entries()) {
    const { name, predicted_by: predictor } = metric
    if (predictor === undefined) continue
    const at = `/metrics/${index}`
    const other = metrics.find((each) => each.name === predictor && predictor !== name)
    if (other === undefined) {
      throw invalidField(`${at}/predicted_by`, `must be another metric; there is no "${predictor}"`)
    }
    if (other.predicted_by !== undefined) {
      throw invalidField(`${at}/predicted_by`, `"${predictor}" is predicted itself`)
    }
    for (const field of ['quantile', 'denominator', 'transform', 'covariate'] as const) {
      if (metric[field] !== undefined) throw invalidField(`${at}/${field}`, 'excludes a prediction')
      if (other[field] !== undefined && field !== 'covariate') {
        throw invalidField(
          `${at}/predicted_by`,
          `"${predictor}" has a ${field}: it has no plain mean`,
        )
      }
    }
  }
}

const checkSources = ({ metrics }: Experiment): void => {
  for (const [index, { name, feedback, source }] of metrics.entries()) {
    const field = feedback === undefined ? 'source' : 'feedback'
    if (name.startsWith(AUTOMATIC) && (feedback ?? source) !== undefined) {
      throw invalidField(`/metrics/${index}/${field}`, `"${name}" is measured, nobody reports it`)
    }
    if (feedback?.startsWith(AUTOMATIC) === true) {
      throw invalidField(`/metrics/${index}/feedback`, `must not begin with "${AUTOMATIC}"`)
    }
  }
}

/** @throws RefineError invalid_request */
export const checkMetrics = (experiment: Experiment): void => {
  checkParts(experiment)
  checkGuardrails(experiment)
  checkCovariates(experiment)
  checkPrediction(experiment)
  checkSources(experiment)
  checkAutomaticMetrics(experiment.metrics)
  checkImplicitMetrics(experiment.metrics)
}
