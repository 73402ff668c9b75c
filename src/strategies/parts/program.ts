/**
 * Program of Thoughts (Chen et al. 2022, arXiv:2211.12588): the model writes a program, an interpreter computes the answer.
 * Deviations: JavaScript in the sandbox instead of Python; a program that cannot be run, fails or prints nothing is a
 * failed candidate, since its numbers are no answer.
 */
import { extractAnswer } from '../../core/answer.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type { StrategyEvent } from '../../core/event.ts'
import { partsOf, programOf } from '../../core/fenced-code.ts'
import type { Events, Refinement } from '../compose.ts'
import { draftSampling } from './draft.ts'
import { formOf } from './forms.ts'
import { sampleOne, type Draft } from './sample-one.ts'

/** Longest answer that is taken from what a program prints, in characters, and in tokens with its mark. */
const MOST_CHARACTERS = 1000
export const PRINTED_TOKENS = 1024

type Completed = Extract<StrategyEvent, { type: 'candidate.completed' }>

/** What the program prints, as an answer. @throws RefineError model_failed */
const compute = async (
  { context: { sandbox, signal } }: Refinement,
  text: string,
): Promise<string> => {
  const failed = (why: string): RefineError => new RefineError('model_failed', why)
  if (sandbox === undefined) throw failed('There is no sandbox to run it in.')
  const program = programOf(partsOf(text).blocks)
  if (program === undefined) throw failed('It wrote no JavaScript program in a fenced block.')
  const { output, error } = await sandbox.run(program, { signal })
  if (error !== undefined) throw failed(`Its program failed: ${error}`)
  const answer = extractAnswer(output) ?? output.trim().split('\n').at(-1)!
  if (answer === '') throw failed('Its program printed nothing.')
  return answer.slice(0, MOST_CHARACTERS)
}

/** Puts what the program prints behind it before the candidate is completed; undefined when it failed. */
async function* finish(refinement: Refinement, completed: Completed): Events<number | undefined> {
  const { pool, context } = refinement
  const { candidate } = completed
  try {
    const answer = await compute(refinement, pool.text(candidate))
    yield { type: 'candidate.delta', candidate, text: `\n\n#### ${answer}` }
    yield completed
    return candidate
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    pool.fail(thrown)
    yield { type: 'candidate.failed', candidate, error: describeError(thrown) }
    return undefined
  }
}

/** One draft by a program, which is run as soon as it is there. */
export async function* writeProgram(refinement: Refinement, seed: number, n: number): Draft {
  const { context, task } = refinement
  const draft = sampleOne(refinement, {
    model: context.models.generator,
    messages: formOf(context, 'generator', 'solveByProgram')(task).messages,
    sampling: draftSampling(task, n),
    role: 'draft',
    round: 0,
    parents: [],
    seed,
  })
  let ran: number | undefined
  for await (const event of draft) {
    if (event.type === 'candidate.completed') ran = yield* finish(refinement, event)
    else yield event
  }
  return ran
}
