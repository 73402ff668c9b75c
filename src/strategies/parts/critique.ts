/** Asks the reviewer what is wrong with a candidate, and streams what it says. */
import { RefineError } from '../../core/errors.ts'
import type { StrategyEvent } from '../../core/event.ts'
import type { Critique, Prompt, Report } from '../../core/prompts.ts'
import { replyOf } from '../../core/thinking.ts'
import { tell, type Events, type Refinement } from '../compose.ts'
import { SECOND_LOOKS } from './cost.ts'
import { formOf } from './forms.ts'
import { question, unfinishedThinking, type Voice } from './question.ts'

/** Whether someone has marked a step as wrong since the candidate was reviewed. */
export const isOutdated = (
  { context }: Refinement,
  candidate: number,
  { step, verdict }: Critique,
): boolean => {
  const marked = context.steering.markedStep(candidate)
  return marked !== undefined && (verdict !== 'wrong' || step !== marked)
}

/**
 * Tells `critique.delta` as the reviewer writes, thinking and all, and returns what stands behind the thinking. A reviewer
 * that fails, or does nothing but think, gives a warning and undefined.
 */
export async function* remark(
  refinement: Refinement,
  candidate: number,
  { messages, maxTokens, continueFrom }: Prompt,
  { temperature, seed }: Voice = { temperature: 0, seed: 0 },
): Events<string | undefined> {
  const { context } = refinement
  const begun = continueFrom === undefined ? {} : { continueFrom }
  const sampling = { temperature, max_tokens: maxTokens }
  let text = ''
  try {
    const request = { messages, samples: 1, sampling, seed, ...begun }
    const chunks = context.models.reviewer.generate(request, { signal: context.signal })
    for await (const chunk of chunks) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'warning') yield chunk
      if (chunk.type !== 'delta' || chunk.text === '') continue
      text += chunk.text
      const full = tell(refinement, { type: 'critique.delta', candidate, text: chunk.text })
      if (full !== undefined) await full
    }
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return undefined
  }
  const said = replyOf(text)
  if (said === undefined) yield unfinishedThinking('reviewer', maxTokens)
  return said
}

/**
 * What the reviewer says in the end: where the prompts know a second look at what it finds, and the model can go on from a
 * beginning, a finding that does not survive it is taken back, and the reviewer goes on behind that step. A look that fails
 * changes nothing.
 */
async function* considered(
  refinement: Refinement,
  candidate: number,
  prompt: Prompt,
  voice?: Voice,
): Events<string | undefined> {
  const { task, context, pool } = refinement
  const { secondLook } = context.prompts.reviewer
  const canGoOn = context.models.reviewer.capabilities.assistant_continuation === 'native'
  const draft = pool.text(candidate)
  let said = yield* remark(refinement, candidate, prompt, voice)
  if (secondLook === undefined || !canGoOn) return said
  for (let look = 0; said !== undefined && look < SECOND_LOOKS; look++) {
    const asked = secondLook.ask(task, draft, said)
    const reply = asked && (yield* question(refinement, 'reviewer', asked))
    const continueFrom = reply && secondLook.standing(reply, draft, said)
    if (continueFrom === undefined || continueFrom === '') break
    const correction = continueFrom.slice(continueFrom.trimEnd().lastIndexOf('\n') + 1)
    const full = tell(refinement, { type: 'critique.delta', candidate, text: `\n${correction}` })
    if (full !== undefined) await full
    const rest = yield* remark(refinement, candidate, { ...prompt, continueFrom }, voice)
    if (rest === undefined) break
    said = continueFrom + rest
  }
  return said
}

export const critiqueCompleted = (
  candidate: number,
  { text, step, verdict }: Critique,
): StrategyEvent => ({
  type: 'critique.completed',
  candidate,
  text,
  ...(step === undefined ? {} : { step }),
  ...(verdict === undefined ? {} : { verdict }),
})

/** What the reviewer finds: tells its deltas and yields `critique.completed` in the end. Undefined when the reviewer failed. */
export async function* review(
  refinement: Refinement,
  candidate: number,
  { stepScores, voice }: { stepScores?: readonly number[] | undefined; voice?: Voice },
): Events<Critique | undefined> {
  const { task, context, pool } = refinement
  const prompts = context.prompts.reviewer
  const draft = pool.text(candidate)
  const prompt = prompts.review(task, draft, stepScores)
  const text = yield* considered(refinement, candidate, prompt, voice)
  if (text === undefined) return undefined
  const found = prompts.readReview(text, draft)
  yield critiqueCompleted(candidate, found)
  return found
}

/**
 * A located critique: tells its deltas and yields `critique.completed` in the end. Where someone has marked a step as wrong,
 * that is the critique and the reviewer is not asked; nor is it about an answer that lacks the form asked for.
 */
export async function* critique(
  refinement: Refinement,
  candidate: number,
  stepScores?: readonly number[],
): Events<Critique | undefined> {
  const { context, pool } = refinement
  const step = context.steering.markedStep(candidate)
  if (step !== undefined) {
    const mark: Critique = { text: `Step ${step} is wrong.`, step, verdict: 'wrong' }
    yield critiqueCompleted(candidate, mark)
    return mark
  }
  const fault = pool.fault(candidate)
  if (fault !== undefined) {
    const text = `The answer does not have the form that is asked for: ${fault}.`
    const found: Critique = { text, step: undefined, verdict: 'wrong' }
    yield critiqueCompleted(candidate, found)
    return found
  }
  return yield* review(refinement, candidate, { stepScores })
}

/** A critique without steps and verdict: what the reviewer thinks could be better. */
export async function* untargetedCritique(
  refinement: Refinement,
  candidate: number,
): Events<Critique | undefined> {
  const { task, context, pool } = refinement
  const ask = formOf(context, 'reviewer', 'critique')
  const said = yield* remark(refinement, candidate, ask(task, pool.text(candidate)))
  if (said === undefined) return undefined
  const found = { text: said.trim(), step: undefined, verdict: undefined }
  yield critiqueCompleted(candidate, found)
  return found
}

/** Reports are drawn, so that several of one candidate can differ. */
const REPORT_TEMPERATURE = 0.7

/** A strict verifier's report, told as a critique: whatever is no pass is wrong. Undefined when the reviewer failed. */
export async function* strictReport(
  refinement: Refinement,
  candidate: number,
): Events<Report | undefined> {
  const { task, context, pool } = refinement
  const draft = pool.text(candidate)
  const prompt = formOf(context, 'reviewer', 'verifyReport')(task, draft)
  const voice = { temperature: REPORT_TEMPERATURE, seed: context.random.seed() }
  const text = yield* considered(refinement, candidate, prompt, voice)
  if (text === undefined) return undefined
  const report = context.prompts.reviewer.readReport(text, draft)
  const told = { pass: 'right', gap: 'wrong', critical: 'wrong' } as const
  const verdict = report.verdict === undefined ? undefined : told[report.verdict]
  yield critiqueCompleted(candidate, { ...report, verdict })
  return report
}
