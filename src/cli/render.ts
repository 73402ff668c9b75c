/** The live view as lines of text: a pure function of the run, the size of the terminal and the wish for colour. */
import { inspect } from 'node:util'
import type { Candidate } from '../core/run-state.ts'
import { clipEnd, clipStart, fit, oneLine, widthOf, wrap } from './display-text.ts'
import {
  describeBudget,
  describeComparison,
  describeEnd,
  describeGate,
  describeVerdict,
  describeVotes,
  formatScore,
} from './phrases.ts'
import type { LiveCritique, RunView } from './run-view.ts'

export interface ViewSize {
  readonly columns: number
  /** `Infinity` for a view that is not cut. */
  readonly rows: number
}

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta'
type Paint = (format: Format, text: string) => string

/** Not `styleText`: from Node 22 on it looks at the process's own output and decides for itself. */
const painter =
  (color: boolean): Paint =>
  (format, text) => {
    const [on, off] = inspect.colors[format] ?? [0, 0]
    return color && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
  }

const STATUS: Readonly<Record<NonNullable<Candidate['finish_reason']>, string>> = {
  stop: 'done',
  length: 'cut off',
  content_filter: 'filtered',
  tool_calls: 'done',
  other: 'done',
  failed: 'failed',
  dropped: 'dropped',
}

const ROLE_WIDTH = 12
const STATUS_WIDTH = 8
const MIN_ANSWER_ROWS = 4

const scoresOf = ({ scores }: Candidate): string => {
  const latest = new Map(scores.map(({ scorer, score }) => [scorer, score]))
  return [...latest].map(([scorer, score]) => `${scorer} ${formatScore(score)}`).join(', ')
}

const candidateLine = (
  candidate: Candidate,
  isIncumbent: boolean,
  columns: number,
  paint: Paint,
) => {
  const { candidate: number, role, parents, finish_reason } = candidate
  const origin = parents.length === 0 ? role : `${role} ←${parents.join(',')}`
  const status = finish_reason === null ? 'writing' : STATUS[finish_reason]
  const head = `${isIncumbent ? '*' : ' '}${String(number).padStart(3)} `
  const scores = scoresOf(candidate)
  const middle = `${fit(origin, ROLE_WIDTH)} `
  const state = `${fit(status, STATUS_WIDTH)} `
  const shownScores = scores === '' ? '' : `${clipEnd(scores, Math.max(12, columns >> 2))} `
  const used = widthOf(head + middle + state + shownScores)
  const tail = clipStart(oneLine(candidate.text.slice(-columns * 16)), columns - used)
  const format: Format = finish_reason === 'failed' ? 'red' : 'dim'
  return (
    paint(isIncumbent ? 'green' : 'bold', head) +
    middle +
    paint(finish_reason === null ? 'yellow' : format, state) +
    paint('cyan', shownScores) +
    tail
  )
}

const critiqueLine = (critique: LiveCritique, columns: number, paint: Paint): string => {
  const verdict = describeVerdict(critique)
  const head = `     ↳ ${verdict === '' ? 'critique' : verdict}: `
  const room = columns - widthOf(head)
  const text = oneLine(critique.text)
  const shown = critique.isComplete ? clipEnd(text, room) : clipStart(text, room)
  return paint('magenta', clipEnd(head + shown, columns))
}

interface Block {
  readonly candidate: number
  readonly lines: readonly string[]
  /** Higher is shown first when there is too little room. */
  readonly rank: number
}

/** The blocks that fit, in order of their candidates, and how many were left out. */
const chooseBlocks = (blocks: readonly Block[], room: number): string[] => {
  const total = blocks.reduce((sum, { lines }) => sum + lines.length, 0)
  if (total <= room) return blocks.flatMap(({ lines }) => lines)
  const chosen: Block[] = []
  let left = room - 1
  for (const block of blocks.toSorted((a, b) => b.rank - a.rank || b.candidate - a.candidate)) {
    if (left <= 0) break
    const lines = block.lines.slice(0, left)
    chosen.push({ ...block, lines })
    left -= lines.length
  }
  const shown = chosen.toSorted((a, b) => a.candidate - b.candidate).flatMap(({ lines }) => lines)
  return [...shown, `     … and ${blocks.length - chosen.length} more`].slice(0, Math.max(0, room))
}

const candidateLines = (view: RunView, size: ViewSize, room: number, paint: Paint): string[] => {
  const incumbent = view.run?.answer?.candidate
  const blocks = (view.run?.candidates ?? []).map((candidate) => {
    const { candidate: number, finish_reason } = candidate
    const isIncumbent = number === incumbent
    const critique = view.critiques.get(number)
    const first = candidateLine(candidate, isIncumbent, size.columns, paint)
    const second = critique === undefined ? [] : [critiqueLine(critique, size.columns, paint)]
    const isBusy = finish_reason === null || critique?.isComplete === false
    return { candidate: number, lines: [first, ...second], rank: isIncumbent ? 2 : isBusy ? 1 : 0 }
  })
  return chooseBlocks(blocks, room)
}

const headerLines = (view: RunView, { columns }: ViewSize, paint: Paint): string[] => {
  const question = clipEnd(oneLine(view.question), columns)
  if (view.run === undefined) return [paint('bold', question), 'waiting …', '']
  const { strategy, model, seed, status } = view.run
  const title = clipEnd(`${strategy} · ${model} · seed ${seed} · ${status}`, columns)
  return [paint('bold', question), paint('dim', title), '']
}

const factLines = (view: RunView, { columns }: ViewSize, paint: Paint): string[] => {
  const { run, votes, gate, comparison, budget, warning } = view
  const isOver = run !== undefined && run.ended_at !== null
  const facts: readonly [string, string | undefined, Format][] = [
    ['votes', votes && describeVotes(votes), 'cyan'],
    ['gate', gate && describeGate(gate), 'cyan'],
    ['compare', comparison && describeComparison(comparison), 'cyan'],
    ['warning', warning, 'yellow'],
    ['budget', isOver ? undefined : budget && describeBudget(budget), 'dim'],
    ['end', isOver ? describeEnd(run) : undefined, run?.error == null ? 'green' : 'red'],
  ]
  return facts.flatMap(([name, text, format]) =>
    text === undefined
      ? []
      : [paint(format, clipEnd(`${name.padEnd(8)}${oneLine(text)}`, columns))],
  )
}

const answerLines = (view: RunView, size: ViewSize, room: number, paint: Paint): string[] => {
  const { run } = view
  const answer = run?.answer
  if (run === undefined || answer == null) return []
  const reason = run.revisions.findLast(({ revision }) => revision === answer.revision)?.reason
  const score = answer.score === null ? '' : `, score ${formatScore(answer.score)}`
  const because = reason === undefined ? '' : ` (${oneLine(reason)})`
  const title = `answer: revision ${answer.revision}, candidate ${answer.candidate}${score}${because}`
  const lines = wrap(answer.text.trim(), size.columns)
  const left = Math.max(1, room - 2)
  const shown = lines.length <= left ? lines : ['…', ...lines.slice(lines.length - left + 1)]
  return ['', paint('bold', clipEnd(title, size.columns)), ...shown.slice(0, left)]
}

/** At most `size.rows` lines of at most `size.columns` cells, without line ends. */
export const renderRun = (view: RunView, size: ViewSize, color: boolean): string[] => {
  const paint = painter(color)
  const header = headerLines(view, size, paint)
  const facts = factLines(view, size, paint)
  const taken = header.length + facts.length
  const answerRows = view.run?.answer == null ? 0 : MIN_ANSWER_ROWS
  const candidates = candidateLines(view, size, Math.max(1, size.rows - taken - answerRows), paint)
  const room = size.rows - taken - candidates.length
  const lines = [...header, ...candidates, ...facts, ...answerLines(view, size, room, paint)]
  return lines.slice(0, size.rows)
}
