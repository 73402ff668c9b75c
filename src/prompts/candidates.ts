/**
 * The full set's questions about several candidates at once, and the strict verifier's. Candidates stand between
 * numbered tags in the order given, behind the task and before the request: runs that show the same candidates share
 * the beginning of their prompts.
 */
import type { Prompt, Report } from '../core/prompts.ts'
import { questionOf, type Task } from '../core/task.ts'
import { askAs, frame, numbered, splitText, taskText } from './material.ts'

const candidates = (drafts: readonly string[]): string[] =>
  drafts.map((draft, index) => frame(`answer_${index + 1}`, draft))

const AUTHOR = 'You write answers with the help of answers that other people wrote.'

/** RSA's question: candidates as evidence, none of which need be right. */
export const aggregate = (task: Task, drafts: readonly string[]): Prompt => ({
  messages: askAs(AUTHOR, [
    frame('task', taskText(task)),
    ...candidates(drafts),
    `The ${drafts.length} answers above are candidates. Some may be wrong, all may be. Compare them, take what is right from each, mend what is wrong, and if all are wrong go another way. Write one complete answer to the task, in the form that the task asks for, and mention no candidate.`,
  ]),
  maxTokens: 4096,
})

/** The question of mixture-of-agents and of parallel thinking: answers of others as references for one's own. */
export const synthesise = (task: Task, drafts: readonly string[]): Prompt => ({
  messages: askAs(AUTHOR, [
    frame('task', taskText(task)),
    ...candidates(drafts),
    'The answers above are references. Weigh them critically: some of what they say may be one-sided or wrong, and what most of them say need not be right. Do not repeat them; give a more accurate and complete answer of your own, in the form that the task asks for, and mention no reference.',
  ]),
  maxTokens: 4096,
})

export const select = (task: Task, drafts: readonly string[]): Prompt => ({
  messages: askAs('You compare answers that other people wrote.', [
    frame('task', taskText(task)),
    ...candidates(drafts),
    `Which of the ${drafts.length} answers says what most of them agree on? The order says nothing. Reply with its number alone, from 1 to ${drafts.length}.`,
  ]),
  maxTokens: 16,
})

/** Only a number at the very beginning counts, so that a reply that quotes a candidate names nothing. */
export const readSelection = (text: string, drafts: number): number | undefined => {
  const number = /^[\s*_`"'([<]*(?:answer[\s_]*)?(\d{1,3})(?![\d.,]*\d)/i.exec(text)?.[1]
  const index = Number(number ?? 0) - 1
  return index >= 0 && index < drafts ? index : undefined
}

export const halt = (task: Task, drafts: readonly string[]): Prompt => ({
  messages: askAs('You compare answers that other people wrote.', [
    frame('task', taskText(task)),
    ...candidates(drafts),
    'More work on these answers costs time and may make them worse. If they agree on an answer that holds, reply STOP; if they disagree for a reason that more work could settle, or share a fault, reply CONTINUE. Reply with that word alone.',
  ]),
  maxTokens: 8,
})

export const readHalt = (text: string): boolean | undefined => {
  const word = /^[\s*_`"'([]*(stop|continue)\b/i.exec(text)?.[1]?.toLowerCase()
  return word === undefined ? undefined : word === 'stop'
}

/** The conversation stays as it is; the guideline stands behind the question. */
export const solveBy = (task: Task, guideline: string): Prompt => {
  const last = task.messages.length - 1
  const { role, content } = task.messages[last]!
  return {
    messages: task.messages.with(last, {
      role,
      content: `${content}\n\nHow to begin: ${guideline}`,
    }),
    maxTokens: 4096,
  }
}

export const paraphrase = (task: Task): Prompt => ({
  messages: askAs('You put questions in other words.', [
    frame('task', questionOf(task)),
    'Write the task again in other words and another order of what is given, so that whoever answers it answers the same. Keep every number, name, unit and condition, and any demand on the form of the answer. Reply with the task alone, and do not answer it.',
  ]),
  maxTokens: 1024,
})

/** Untargeted: no aspects, no steps, no verdict. */
export const critique = (task: Task, draft: string): Prompt => ({
  messages: askAs('You comment on answers that other people wrote.', [
    frame('task', taskText(task)),
    frame('answer', draft),
    'Critique the answer: say what could be better about it. Do not write a new answer.',
  ]),
  maxTokens: 1024,
})

const VERIFIER =
  'You are a strict examiner. You verify answers that other people wrote; you never solve or repair them.'

export const verifyReport = (task: Task, draft: string): Prompt => ({
  messages: askAs(VERIFIER, [
    frame('task', taskText(task)),
    frame('answer', numbered(splitText(draft))),
    `Go through the steps in their order and say of each whether it holds. A critical error is a false statement or one that breaks the chain of reasoning: name it, and do not follow what builds on it. A justification gap is a claim that may be true but is not shown: name it, take it as true and go on. End with one line of its own, and nothing after it:
Verdict: complete and correct
or, with the number of the first step at fault:
Verdict: critical error in step 2
or, when there are gaps only:
Verdict: justification gap in step 2`,
  ]),
  maxTokens: 1024,
})

/** Only the last line counts, so that a quotation from the answer never does. */
export const readReport = (text: string): Report => {
  const trimmed = text.trim()
  const last = trimmed
    .split('\n')
    .at(-1)!
    .replaceAll(/[*_`#>]/g, '')
    .trim()
  const found =
    /^verdict\s*:\s*(?:(complete and correct)|(critical error|justification gap)(?: in step (\d{1,3}))?)\W*$/i.exec(
      last,
    )
  if (found === null) return { text: trimmed, step: undefined, verdict: undefined }
  if (found[1] !== undefined) return { text: trimmed, step: undefined, verdict: 'pass' }
  const verdict = found[2]!.toLowerCase() === 'critical error' ? 'critical' : 'gap'
  const step = Number(found[3] ?? 0)
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict }
}
