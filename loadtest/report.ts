/** The results as a table. */
import type { ExperimentResult } from './feedback-load.ts'
import type { Probe, ServerProbe } from './probe.ts'
import type { JsonResult, StreamResult } from './scenarios.ts'
import type { Summary } from './statistics.ts'

export type ScenarioReport = (JsonResult | StreamResult | ExperimentResult) & {
  readonly probe: Probe
}

const ms = (value: number | null): string => (value === null ? '-' : value.toFixed(1))

const row = (name: string, { count, p50, p90, p99, max }: Summary): string =>
  `  ${name.padEnd(16)}${[String(count), ms(p50), ms(p90), ms(p99), ms(max)]
    .map((cell) => cell.padStart(10))
    .join('')}`

const HEAD = `  ${'ms'.padEnd(16)}${['count', 'p50', 'p90', 'p99', 'max']
  .map((cell) => cell.padStart(10))
  .join('')}`

const titleOf = (report: ScenarioReport): string => {
  switch (report.scenario) {
    case 'json':
      return `json: ${report.connections} connections, ${report.requests_per_second.toFixed(0)} runs/s, ${report.errors} errors`
    case 'experiments':
      return `experiments: ${report.exposures_per_second} exposures/s by runs, ${report.units_per_second} exposures/s by units in batches, ${report.feedbacks_per_second} feedbacks/s, ${report.rows_per_request} a request; ${report.exposures}, ${report.units} and ${report.feedbacks} acknowledged, ${report.errors} not counted`
    case 'sse':
    case 'websocket':
      return `${report.scenario}: ${report.streams} streams, ${report.runs_per_second.toFixed(0)} runs/s, ${report.events_per_second.toFixed(0)} events/s (${(report.events_per_second / report.streams).toFixed(1)} each, ${report.burst} at a time), ${report.errors} errors`
  }
}

const rowsOf = (report: ScenarioReport): string[] => {
  switch (report.scenario) {
    case 'json':
      return [row('answer', report.latency)]
    case 'experiments':
      return [row('run', report.run), row('feedback', report.request)]
    case 'sse':
    case 'websocket':
      return [
        row('event delay', report.event_delay),
        row('first event', report.first_event),
        row('first revision', report.first_revision),
        row('end', report.end),
        ...Object.entries(report.error_kinds).map(([kind, count]) => `  ${count} × ${kind}`),
      ]
  }
}

const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1)

const serverLine = (report: ScenarioReport, { delay, memoryBefore, memoryMost }: ServerProbe) => {
  const grown = memoryMost - memoryBefore
  const perStream = !('streams' in report)
    ? ''
    : `, ${(grown / 1024 / report.streams).toFixed(1)} KiB per stream`
  return `  server's event loop: delay p50 ${ms(delay.p50)}, p99 ${ms(delay.p99)}, max ${ms(delay.max)}; memory ${mebibytes(memoryBefore)} to ${mebibytes(memoryMost)} MiB${perStream}`
}

const cpuLine = (report: ScenarioReport): string => {
  const { clientCpu, elapsed, server } = report.probe
  const events = 'event_delay' in report ? report.event_delay.count : 0
  const told = (who: string, seconds: number | undefined): string => {
    if (seconds === undefined) return `${who} unknown`
    const each = events === 0 ? '' : `, ${((seconds * 1e6) / events).toFixed(1)} µs an event`
    return `${who} ${((100 * seconds) / elapsed).toFixed(0)} % of a core${each}`
  }
  return `  processor: ${told('server, all threads,', server?.cpu)}; ${told('clients', clientCpu)}`
}

export const reportTable = (reports: readonly ScenarioReport[]): string =>
  reports
    .flatMap((report) => {
      const { health, healthErrors, clientDelay, server } = report.probe
      const failed = healthErrors === 0 ? '' : `, ${healthErrors} of the probes failed`
      return [
        titleOf(report),
        ...('run' in report && 'burst' in report
          ? [`  each run: ${JSON.stringify(report.run)}`]
          : []),
        HEAD,
        ...rowsOf(report),
        row('GET /healthz', health),
        `  client's event loop: delay p50 ${ms(clientDelay.p50)}, p99 ${ms(clientDelay.p99)}, max ${ms(clientDelay.max)}${failed}`,
        ...(server === undefined ? [] : [serverLine(report, server)]),
        cpuLine(report),
        '',
      ]
    })
    .join('\n')
