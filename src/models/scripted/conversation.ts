/** Finds out from the form of a prompt (set `compact`) which role is asked for and what about. */
import { contentText } from '../../core/conversation.ts'
import type { Message } from '../../core/task.ts'

export type Conversation =
  | { readonly role: 'solve'; readonly question: string }
  | {
      readonly role: 'review' | 'refine' | 'judge'
      readonly question: string
      readonly draft: string
    }
  | {
      readonly role: 'compare'
      readonly question: string
      readonly drafts: readonly [string, string]
    }
  | {
      readonly role: 'aggregate' | 'select'
      readonly question: string
      readonly drafts: readonly string[]
    }

/** Where a paragraph begins that looks like a solution: a bullet, a number, or the final answer. */
const SOLUTION = /\n\n+(?=- |\d+[.)] |#### )/g

const paragraphAt = (text: string, start: number): string => {
  const end = text.indexOf('\n\n', start)
  return end < 0 ? text.slice(start) : text.slice(start, end)
}

/**
 * Splits "question, blank line, draft, …". The last paragraph with a final answer is the draft, since a question may
 * hold lists too; without one the last that looks like a solution, else the paragraph at the place the role has it.
 */
const splitDraft = (text: string, paragraphsAfter: number): { question: string; draft: string } => {
  const starts = [...text.matchAll(SOLUTION)].map(({ index, 0: gap }) => ({
    end: index,
    start: index + gap.length,
  }))
  const found =
    starts.findLast(({ start }) => paragraphAt(text, start).includes('####')) ?? starts.at(-1)
  if (found !== undefined) {
    return {
      question: text.slice(0, found.end).trim(),
      draft: paragraphAt(text, found.start).trim(),
    }
  }
  const paragraphs = text.split(/\n\n+/)
  const at = Math.max(1, paragraphs.length - 1 - paragraphsAfter)
  return {
    question: paragraphs.slice(0, at).join('\n\n').trim(),
    draft: (paragraphs[at] ?? '').trim(),
  }
}

/** The steps that two solutions share, if any, and the line of each at which they part. */
const PAIR = /^(.*?)(?:\n\n(1\. [^\n]*(?:\n\d+\. [^\n]*)*))?\n\nA\. ?([^\n]*)\nB\.(?: ([^\n]*))?$/s

/** Each side is what is known of its solution: the shared steps and the line that is its own. */
const splitPair = (text: string): { question: string; drafts: [string, string] } => {
  const [, question = text, shared, first = '', second = ''] = PAIR.exec(text) ?? []
  const side = (line: string): string => (shared === undefined ? line : `${shared}\n${line}`)
  return { question: question.trim(), drafts: [side(first), side(second)] }
}

/** Candidates stand behind their letters; a question that has such lines itself is cut short at the first. */
const splitCandidates = (text: string): { question: string; drafts: string[] } => {
  const [question = '', ...drafts] = text.split(/\n\n[A-H]:\n/)
  return { question: question.trim(), drafts: drafts.map((draft) => draft.trim()) }
}

/** A prompt without the word of another role as its system message asks for a solution. */
export const readConversation = (messages: readonly Message[]): Conversation => {
  const told = messages.find(({ role }) => role === 'system')
  const asked = messages.findLast(({ role }) => role === 'user')
  const system = told === undefined ? '' : contentText(told).trim().toLowerCase()
  const text = asked === undefined ? '' : contentText(asked)
  if (system === 'review' || system === 'judge') return { role: system, ...splitDraft(text, 0) }
  if (system === 'refine') return { role: system, ...splitDraft(text, 1) }
  if (system === 'compare') return { role: system, ...splitPair(text) }
  if (system === 'aggregate' || system === 'select') {
    return { role: system, ...splitCandidates(text) }
  }
  return { role: 'solve', question: text.trim() }
}
