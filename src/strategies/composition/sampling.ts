/** Draws the first candidates, and scores each as soon as it is there. */
import { merge } from '../../core/merge.ts'
import { questionOf, reworded, type Message } from '../../core/task.ts'
import type { NamedModel } from '../../core/strategy.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordableSamples } from '../parts/allowance.ts'
import { Deepening } from '../parts/deepening.ts'
import { draftSampling } from '../parts/draft.ts'
import { formOf } from '../parts/forms.ts'
import { PowerChain, type Draw } from '../parts/power.ts'
import { writeProgram } from '../parts/program.ts'
import { question } from '../parts/question.ts'
import { rated, sampleOne, type Draft, type Rate } from '../parts/sample-one.ts'
import { scheduleOf } from '../parts/schedule.ts'
import type { ChosenParts } from './chosen.ts'
import { plainly } from './plain-sampling.ts'
import type { Sampler } from './samplers.ts'

interface Author extends Pick<NamedModel, 'model'> {
  readonly messages: readonly Message[]
  readonly seed: number
}

const draftBy = (refinement: Refinement, { model, messages, seed }: Author, n: number): Draft =>
  sampleOne(refinement, {
    model,
    messages,
    sampling: draftSampling(refinement.task, n),
    role: 'draft',
    round: 0,
    parents: [],
    seed,
  })

/** A wording that lost a number of the question asks something else. */
const keepsNumbers = (question: string, wording: string): boolean => {
  const numbers = (text: string): Set<string> => new Set(text.match(/\d+(?:[.,]\d+)*/g))
  const kept = numbers(wording)
  return [...numbers(question)].every((number) => kept.has(number))
}

const PARAPHRASE_TEMPERATURE = 0.8

/** Drafts of one wording: the question's own where no seed asks for another one. */
async function* answerWording(
  refinement: Refinement,
  seeds: readonly number[],
  wordingSeed: number | undefined,
  n: number,
  rate: Rate,
): Events<readonly (number | undefined)[]> {
  const { task, context } = refinement
  let asked = task
  if (wordingSeed !== undefined) {
    const prompt = formOf(context, 'generator', 'paraphrase')(task)
    const voice = { temperature: PARAPHRASE_TEMPERATURE, seed: wordingSeed }
    const text = (yield* question(refinement, 'generator', prompt, voice))?.trim() ?? ''
    if (text !== '' && keepsNumbers(questionOf(task), text)) asked = reworded(task, text)
    else {
      const message = 'A paraphrase was lost or left out a number; the question itself is asked.'
      yield { type: 'warning', code: 'paraphrase_unfit', message }
    }
  }
  const messages = context.prompts.generator.solve(asked)
  const model = context.models.generator
  return yield* merge(
    seeds.map((seed) => rated(draftBy(refinement, { model, messages, seed }, n), rate)),
  )
}

const paraphrased = (
  refinement: Refinement,
  n: number,
  paraphrases: number,
  rate: Rate,
): Events<readonly (number | undefined)[]>[] => {
  const { random } = refinement.context
  const wordings = Array.from({ length: Math.min(n, paraphrases + 1) }, (_, at) => ({
    wording: at === 0 ? undefined : random.seed(),
    seeds: [] as number[],
  }))
  for (let at = 0; at < n; at++) wordings[at % wordings.length]!.seeds.push(random.seed())
  return wordings.map(({ wording, seeds }) => answerWording(refinement, seeds, wording, n, rate))
}

const deepened = (
  refinement: Refinement,
  sampler: Extract<Sampler, { kind: 'iterative-deepening' }>,
  n: number,
): Draft[] => {
  const { context, task } = refinement
  const messages = context.prompts.generator.solve(task)
  const schedule = scheduleOf(sampler, [sampler.max_tokens, task.sampling.max_tokens])
  return Array.from({ length: n }, () => {
    const seeds = Array.from({ length: schedule.triggers + 1 }, () => context.random.seed())
    return new Deepening(refinement, messages, schedule, seeds, n).write()
  })
}

const sharpened = (
  refinement: Refinement,
  { alpha, steps }: Extract<Sampler, { kind: 'power' }>,
  n: number,
): Draft[] => {
  const { random } = refinement.context
  const draw = (): Draw => ({ seed: random.seed(), place: random.next(), bar: random.next() })
  return Array.from({ length: n }, () =>
    new PowerChain(refinement, alpha, n).walk(Array.from({ length: 1 + steps }, draw)),
  )
}

const draftsOf = (
  refinement: Refinement,
  sampler: Exclude<Sampler, { kind: 'plain' | 'paraphrase' }>,
  n: number,
): Draft[] => {
  const { task, context } = refinement
  const { generator: model } = context.models
  switch (sampler.kind) {
    case 'models': {
      const named = sampler.models.map((id) => context.model(id))
      return Array.from({ length: n }, (_, at) => {
        const author = named[at % named.length]!
        const asked = author.prompts.solve(task)
        const seed = context.random.seed()
        return draftBy(refinement, { model: author.model, messages: asked, seed }, n)
      })
    }
    case 'guidelines': {
      const ask = formOf(context, 'generator', 'solveBy')
      return Array.from({ length: n }, (_, at) => {
        const guideline = sampler.guidelines[at % sampler.guidelines.length]!
        const asked = ask(task, guideline).messages
        return draftBy(refinement, { model, messages: asked, seed: context.random.seed() }, n)
      })
    }
    case 'program':
      return Array.from({ length: n }, () => writeProgram(refinement, context.random.seed(), n))
    case 'iterative-deepening':
      return deepened(refinement, sampler, n)
    case 'power':
      return sharpened(refinement, sampler, n)
  }
}

/** Drafts that the calls reach for together with the wordings that they answer. */
const answerable = (
  { context: { budget } }: Refinement,
  drafts: number,
  paraphrases: number,
  callsEach: number,
): number => {
  const left = budget.remaining('calls')
  let n = drafts
  while (n > 1 && n * callsEach + Math.min(paraphrases, n - 1) > left) n--
  return n
}

/** `rate` is called with every draft that is to be chosen from, of a chain with its end alone. */
export async function* draw(
  refinement: Refinement,
  chosen: ChosenParts,
  callsEach: number,
  rate: Rate,
): Events {
  const { sampler } = chosen
  if (sampler.kind === 'plain') {
    return yield* plainly(refinement, chosen, sampler, callsEach, rate)
  }
  const { context, task } = refinement
  const messages = context.prompts.generator.solve(task)
  const n = affordableSamples(context, messages, task.sampling, sampler.n, callsEach)
  if (sampler.kind === 'paraphrase') {
    const { paraphrases } = sampler
    const answered = answerable(refinement, n, paraphrases, callsEach)
    yield* merge(paraphrased(refinement, answered, paraphrases, rate))
  } else yield* merge(draftsOf(refinement, sampler, n).map((draft) => rated(draft, rate)))
  if (sampler.kind !== 'program' || refinement.pool.completed.length > 0) return
  const seed = context.random.seed()
  yield* rated(draftBy(refinement, { model: context.models.generator, messages, seed }, n), rate)
}
