/** A run as exports see it: its final state, what was asked and said of it, and what only its events tell. */
import { hash } from 'node:crypto'
import type { RunState } from '../core/run-state.ts'
import type { FeedbackRecord } from '../core/run-store.ts'
import type { Message } from '../core/task.ts'
import { AUTOMATIC, AUTOMATIC_NAMES, measureRun } from '../experiments/automatic-metrics.ts'
import { reporterOf } from '../experiments/outcome.ts'
import type { CommonFields, Comparison, Critique } from './export-schema.ts'

export interface ExportedRun {
  readonly state: RunState
  readonly prompt: readonly Message[]
  /** Oldest first. */
  readonly feedback: readonly FeedbackRecord[]
  readonly comparisons: readonly Comparison[]
  readonly critiques: readonly Critique[]
}

/** Under this name, in a run's metadata or as feedback, it is said whether the run may be used for training. */
export const CONSENT = 'consent'

/** The latest feedback goes before the metadata: consent given with the question can be taken back. */
export const consentOf = ({
  state,
  feedback,
}: Pick<ExportedRun, 'state' | 'feedback'>): boolean | null => {
  const said = feedback.findLast(({ metric }) => metric === CONSENT)?.value
  const consent = said ?? state.metadata[CONSENT]
  return typeof consent === 'boolean' ? consent : null
}

const toNumber = (value: unknown): number | undefined => {
  const number = typeof value === 'boolean' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** By name the mean of the latest values, one of each actor. */
const saidOf = (feedback: readonly FeedbackRecord[]): [name: string, value: number][] => {
  const names = new Map<string, Map<string, number>>()
  for (const record of feedback) {
    const { metric } = record
    const value = toNumber(record.value)
    if (metric === CONSENT || metric.startsWith(AUTOMATIC) || value === undefined) continue
    const latest = names.get(metric) ?? new Map<string, number>()
    names.set(metric, latest.set(reporterOf(record), value))
  }
  return [...names].map(([name, latest]) => {
    const values = [...latest.values()]
    return [name, values.reduce((sum, value) => sum + value, 0) / values.length]
  })
}

/** What was said, and the automatic metrics of a run whose first revision is not known by time. */
export const metricsOf = ({
  state,
  feedback,
}: Pick<ExportedRun, 'state' | 'feedback'>): Record<string, number> => {
  const measured = AUTOMATIC_NAMES.flatMap((name): [string, number][] => {
    const value = toNumber(measureRun(name, state, undefined))
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries([...saidOf(feedback), ...measured])
}

/** Measured of the run but no news to anybody who has the record. */
const isTold = (name: string): boolean => /^auto\.(?:stop|tokens)\./.test(name)

export const commonFields = (run: ExportedRun, withoutPrompts: boolean): CommonFields => {
  const { state, prompt } = run
  const { created_at, status, strategy, options, model, seed, stop_reason, assignment } = state
  const metrics = Object.entries(metricsOf(run)).filter(([name]) => !isTold(name))
  return {
    run_id: state.id,
    prompt: withoutPrompts ? null : [...prompt],
    prompt_sha256: hash('sha256', JSON.stringify(prompt)),
    consent: consentOf(run),
    metrics: Object.fromEntries(metrics),
    provenance: { created_at, status, strategy, options, model, seed, stop_reason, assignment },
  }
}
