/** `whetstone doctor`: what is there, what was tried, what is missing and how to get it. */
import { MODELS_FOLDER_FLAG, type Command } from './arguments.ts'
import { columnsOf, print, type Action, type CommandEntry } from './command.ts'
import { clipEnd, fit, widthOf } from './display-text.ts'
import { EXIT_CODES } from './run-refine.ts'

/** `broken`: something that is configured or comes with the program does not work; `absent`: something nobody asked for. */
export type Verdict = 'ok' | 'absent' | 'broken'

export interface Finding {
  /** Heading it stands under, such as `devices`. */
  readonly group: string
  readonly name: string
  readonly verdict: Verdict
  /** What is there, or what is missing. */
  readonly detail: string
  /** How to get it or mend it. */
  readonly advice?: string
}

export interface DoctorReport {
  readonly findings: readonly Finding[]
}

export const DOCTOR: Command = {
  name: 'doctor',
  summary: 'Examines this machine, its devices, models and configuration.',
  maxOperands: 0,
  flags: [
    { name: 'json', description: 'Print the findings as JSON.' },
    { name: 'config', value: 'FILE', description: 'Configuration file. Default whetstone.yaml.' },
    { name: 'data', value: 'FOLDER', description: 'Folder of the database. Default ./data.' },
    { name: 'port', value: 'NUMBER', description: 'Port that the server would listen on.' },
    { name: 'host', value: 'ADDRESS', description: 'Address that the server would listen on.' },
    { name: 'device', value: 'NAME', description: 'Device that models would compute on.' },
    MODELS_FOLDER_FLAG,
  ],
}

const MARKS: Readonly<Record<Verdict, string>> = { ok: 'ok', absent: '-', broken: 'BROKEN' }
const MARK_WIDTH = Math.max(...Object.values(MARKS).map((mark) => mark.length))

/** The report as text, a group of lines per heading. */
export const doctorText = ({ findings }: DoctorReport, columns: number): string => {
  const width = Math.max(0, ...findings.map(({ name }) => widthOf(name)))
  const lines: string[] = []
  let group = ''
  for (const finding of findings) {
    if (finding.group !== group) lines.push(...(group === '' ? [] : ['']), finding.group)
    group = finding.group
    const head = `  ${fit(finding.name, width)}  ${fit(MARKS[finding.verdict], MARK_WIDTH)}  `
    lines.push(clipEnd(head + finding.detail, columns))
    // Advice is there to be copied: it is never cut.
    if (finding.advice) lines.push(`${' '.repeat(width + MARK_WIDTH + 6)}${finding.advice}`)
  }
  const broken = findings.filter(({ verdict }) => verdict === 'broken').length
  lines.push('', broken === 0 ? 'Nothing is broken.' : `${broken} broken.`)
  return `${lines.join('\n')}\n`
}

const doctor: Action = async ({ values }, io, deps) => {
  const report = await deps.examine(values, io.signal)
  const isHealthy = report.findings.every(({ verdict }) => verdict !== 'broken')
  const text =
    values['json'] === 'true'
      ? `${JSON.stringify({ healthy: isHealthy, ...report }, null, 2)}\n`
      : doctorText(report, columnsOf(io))
  await print(io, text)
  return isHealthy ? EXIT_CODES.completed : EXIT_CODES.failed
}

export const DOCTOR_COMMAND: CommandEntry = [DOCTOR, doctor]
